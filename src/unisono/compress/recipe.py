"""A recipe: the steps that make a model smaller, the data that they use, and what the result may cost."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from unisono.compress.steps import step_names, step_of
from unisono.compress.steps.base import Step
from unisono.spec.errors import DefinitionError
from unisono.spec.wording import did_you_mean, listing, one_line, quoted

RUNTIMES = ("onnxruntime", "openvino", "trees")


class DataSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rows are used for what.

    label:      the column with what is right; None: the predictor's label.
    validation: share of the rows to choose by.
    test:       share of the rows to judge by.
    split:      a column that says "train", "validation" or "test" of each row, instead of the shares.
    group:      columns; rows that are equal in them stay together, so that no row's twin is judged by. None: all that
                a model may read.
    slices:     columns; each of their values is a slice of the report. Classes always are.
    seed:       of the split and of whatever a step draws.
    """

    label: str | None = None
    validation: float = 0.1
    test: float = 0.2
    split: str | None = None
    group: list[str] | None = None
    slices: list[str] = []
    seed: int = 0


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a result may be and cost; None: nothing is asked. A version over its budget is refused.

    size_bytes:      of the artifact.
    latency_ms:      median, one row at a time, on this machine, with the recipe's runtime.
    speedup:         times as fast as the original, one row at a time, both in their own runtime.
    memory_bytes:    peak, of a process that runs it.
    parameters:      numbers that were learnt.
    accuracy_loss:   points (percent of the rows) that the original may be better.
    worst_slice:     points that the original may be better in any one slice that is large enough to say.
    agreement:       share of the rows on which both say the same, 0 to 1.
    """

    size_bytes: int | None = None
    latency_ms: float | None = None
    speedup: float | None = None
    memory_bytes: int | None = None
    parameters: int | None = None
    accuracy_loss: float | None = None
    worst_slice: float | None = None
    agreement: float | None = None


USUAL_DATA = DataSettings()
NO_BUDGET = Budget()


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str = "recipe"
    steps: list[dict[str, Any]]
    runtime: str | None = None
    bound: float | None = None
    data: DataSettings = USUAL_DATA
    budget: Budget = NO_BUDGET


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a model is made smaller.

    steps:   in order.
    name:    for people.
    runtime: what runs the result: one of RUNTIMES; None: the quickest that is installed and can run it.
    bound:   largest difference between a module and the graph that it becomes, absolute or relative, that is accepted;
             labels may then differ, too; None: 1e-6, or 1e-5 for a graph that sums float32 numbers, and no other label.
    data:    which rows are used for what.
    budget:  what the result may be and cost.

    >>> from unisono.compress.recipe import recipe_of
    >>> recipe_of({"steps": [{"step": "quantise"}], "budget": {"size_bytes": 1_000_000}}).budget.size_bytes
    1000000
    """

    steps: tuple[Step, ...]
    name: str = "recipe"
    runtime: str | None = None
    bound: float | None = None
    data: DataSettings = USUAL_DATA
    budget: Budget = NO_BUDGET

    def document(self) -> dict[str, Any]:
        """As `recipe_of` reads it, with every setting."""
        return {
            "name": self.name,
            "steps": [step_document(step) for step in self.steps],
            "runtime": self.runtime,
            "bound": self.bound,
            "data": msgspec.to_builtins(self.data),
            "budget": msgspec.to_builtins(self.budget),
        }


def step_document(step: Step) -> dict[str, Any]:
    """A step as a recipe has it, with every setting."""
    return {"step": step.NAME, **msgspec.to_builtins(step)}


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file. Raises DefinitionError with all that is wrong with it, one line each."""
    return recipe_of(read_document(path), str(path))


def read_document(path: Path) -> dict[str, Any]:
    """What a TOML file says, under the file's name if it says none. Raises DefinitionError."""
    try:
        return {"name": path.stem, **tomllib.loads(path.read_text("utf-8"))}
    except OSError as error:
        raise DefinitionError(
            f'recipe "{path}": {error.strerror}; allowed: a TOML file; correct the path, or write one: docs/compress.md'
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError(f'recipe "{path}": {one_line(error)}; allowed: TOML; correct it') from error


def recipe_of(document: Mapping[str, Any], place: str = "recipe") -> Recipe:
    """The recipe that a document says. Raises DefinitionError with all that is wrong with it, one line each."""
    try:
        file = msgspec.convert(document, _File)
    except msgspec.ValidationError as error:
        raise DefinitionError(
            f"{place}: {one_line(error)}; allowed: name, steps, runtime, bound, data, budget; correct it"
        ) from error
    made = [_step(one, f"{place}: steps[{number}]") for number, one in enumerate(file.steps)]
    problems = [*_step_problems(made), *_data_problems(file, place)]
    if problems:
        raise DefinitionError(problems)
    chosen = tuple(one for one in made if isinstance(one, Step))
    return Recipe(
        steps=chosen, name=file.name, runtime=file.runtime, bound=file.bound, data=file.data, budget=file.budget
    )


def _step(document: Mapping[str, Any], place: str) -> Step | str:
    """A step, or what is wrong with it."""
    name = document.get("step")
    known = step_names()
    if not isinstance(name, str) or name not in known:
        seen = "no name" if name is None else f"step {quoted(name)}"
        advice = did_you_mean(str(name), known)
        return f"{place}: {seen}; allowed: step = one of {listing(known)}; {advice}"
    settings = {key: value for key, value in document.items() if key != "step"}
    try:
        return msgspec.convert(settings, step_of(name))
    except msgspec.ValidationError as error:
        fields = listing(step_of(name).__struct_fields__)
        return f"{place} {name}: {one_line(error)}; allowed: {fields or 'no settings'}; correct it"


def _step_problems(made: Sequence[Step | str]) -> Iterator[str]:
    for number, step in enumerate(made):
        if isinstance(step, str):
            yield step
            continue
        for seen, allowed, advice in step.faults():
            yield f"recipe: steps[{number}] {step.NAME}: {seen}; allowed: {allowed}; {advice}"


def _data_problems(file: _File, place: str) -> Iterator[str]:
    if file.runtime is not None and file.runtime not in RUNTIMES:
        step = did_you_mean(file.runtime, RUNTIMES)
        yield f"{place}: runtime {quoted(file.runtime)}; allowed: {listing(RUNTIMES)}; {step}"
    if file.bound is not None and not file.bound >= 0:
        yield f"{place}: bound {file.bound:g}; allowed: 0 or more; correct it"
    data = file.data
    if not (0 < data.validation < 1 and 0 < data.test < 1 and data.validation + data.test < 1):
        seen = f"validation {data.validation:g}, test {data.test:g}"
        yield f"{place}: data: {seen}; allowed: shares above 0 that leave rows to learn from; correct them"
