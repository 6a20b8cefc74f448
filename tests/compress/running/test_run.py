"""Recipes carried out: stages are made once, runs that are cut go on, what is broken is made again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import unisono as un
from tests.compress.conftest import Case, number_rows
from unisono.compress.context import Context
from unisono.compress.kinds import Kind
from unisono.compress.modules.recover import Recover
from unisono.compress.recipe import DataSettings, Recipe
from unisono.compress.running.definition import Definition
from unisono.compress.running.run import Made, carry_out, subject_of
from unisono.compress.steps.base import Stage, Step
from unisono.compress.subject import Subject
from unisono.drivers.predictors import make_predictor_ready
from unisono.spec.errors import DefinitionError, InputError, ModelError

pytestmark = pytest.mark.slow

SETTINGS = DataSettings(label="label", slices=["side"])
STEPS = (Recover(epochs=2, learning_rate=1e-3), Recover(epochs=1, learning_rate=1e-4))


class Failing(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fails as it is told."""

    NAME: ClassVar[str] = "failing"
    TAKES: ClassVar[tuple[Kind, ...]] = ("torch",)
    STAGE: ClassVar[Stage] = "recovery"

    error: str

    def apply(self, subject: Subject, context: Context) -> Subject:
        """Raises."""
        raise {"memory": MemoryError(), "torch": RuntimeError("DefaultCPUAllocator: not enough memory: you tried")}[
            self.error
        ]


@pytest.fixture
def definition() -> Definition:
    request = dict.fromkeys("abcd", un.Float64)
    return make_predictor_ready(un.Predictor("numbers", request=request, time="asked_at", features=()))


class Telling:
    """Remembers what it is told, and stops everything when something is told for the first time."""

    def __init__(self, stop_at: str | None = None, done: int = 0) -> None:
        self.told: list[str] = []
        self._stop_at, self._done = stop_at, done

    def __call__(self, what: str, done: int, total: int | None) -> None:
        self.told.append(what)
        if self._stop_at is not None and what.startswith(self._stop_at) and done >= self._done:
            raise KeyboardInterrupt

    @property
    def trained(self) -> int:
        """Steps of training."""
        return self.told.count("recovering")


def made(
    case: Case, definition: Definition, folder: Path, steps: tuple[Step, ...] = STEPS, telling: Telling | None = None
) -> Made:
    recipe = Recipe(steps=steps, data=SETTINGS)
    return carry_out(recipe, case.subject, number_rows(), definition, folder=folder, progress=telling or Telling())


def answers(one: Made) -> NDArray[np.float64]:
    return np.asarray(one.result.answer(one.data.test)["probability"])


def test_the_same_recipe_is_carried_out_once(numbers: Case, definition: Definition, tmp_path: Path) -> None:
    first, again = made(numbers, definition, tmp_path), Telling()
    second = made(numbers, definition, tmp_path, telling=again)
    assert (first.reused, second.reused, again.trained) == (0, 2, 0)
    assert first.result.graph == second.result.graph
    assert np.array_equal(answers(first), answers(second))


def test_a_graph_is_as_near_to_its_module_as_the_recipe_says(
    numbers: Case, definition: Definition, tmp_path: Path
) -> None:
    def with_bound(bound: float) -> Made:
        recipe = Recipe(steps=STEPS[1:], bound=bound, data=SETTINGS)
        return carry_out(recipe, numbers.subject, number_rows(), definition, folder=tmp_path, progress=Telling())

    assert with_bound(1e-3).result.graph
    with pytest.raises(ModelError, match="allowed: 0, and no other label; say `bound`"):  # not the export of before
        with_bound(0.0)


def test_another_last_step_begins_where_the_others_end(numbers: Case, definition: Definition, tmp_path: Path) -> None:
    made(numbers, definition, tmp_path)
    other = made(numbers, definition, tmp_path, (STEPS[0], Recover(epochs=1, learning_rate=2e-4)))
    assert other.reused == 1


def test_a_run_that_was_cut_goes_on_and_ends_with_the_same_bits(
    numbers: Case, definition: Definition, tmp_path: Path
) -> None:
    whole = Telling()
    expected = made(numbers, definition, tmp_path / "whole", telling=whole)
    with pytest.raises(KeyboardInterrupt):
        made(numbers, definition, tmp_path / "cut", telling=Telling("recovering", done=40))
    rest = Telling()
    continued = made(numbers, definition, tmp_path / "cut", telling=rest)
    assert 0 < rest.trained < whole.trained
    assert continued.result.graph == expected.result.graph


def test_a_stage_whose_file_was_changed_is_made_again(numbers: Case, definition: Definition, tmp_path: Path) -> None:
    expected = made(numbers, definition, tmp_path)
    for path in (tmp_path / "stages").rglob("model.pickle"):
        path.write_bytes(path.read_bytes()[:-7])
    again = made(numbers, definition, tmp_path)
    assert again.reused == 0
    assert again.result.graph == expected.result.graph


@pytest.mark.parametrize("error", ["memory", "torch"])
def test_out_of_memory_is_said_and_the_stages_before_are_kept(
    error: str, numbers: Case, definition: Definition, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=r"step failing: out of memory.*stages before it are kept"):
        made(numbers, definition, tmp_path, (STEPS[0], Failing(error=error)))
    assert made(numbers, definition, tmp_path).reused == 1


def test_steps_in_an_illegal_order_are_refused_before_anything_is_done(
    trees: Case, definition: Definition, tmp_path: Path
) -> None:
    with pytest.raises(DefinitionError, match="the model is an ensemble; allowed: torch"):
        made(trees, definition, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_graph_that_says_something_else_than_its_module_is_refused(
    numbers: Case, definition: Definition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unisono.compress.running import export

    def other(subject: Subject, asked: Definition):  # type: ignore[no-untyped-def]
        imported = imported_of(subject, asked)
        right = imported.answer
        return replace(imported, answer=lambda frame: {name: one[::-1] for name, one in right(frame).items()})

    imported_of = export.imported_of
    monkeypatch.setattr(export, "imported_of", other)
    with pytest.raises(ModelError, match="differ"):
        made(numbers, definition, tmp_path, STEPS[1:])


def test_data_with_a_label_that_the_model_does_not_know_are_refused(
    numbers: Case, definition: Definition, tmp_path: Path
) -> None:
    rows = number_rows().with_columns(label=pl.lit("maybe"))
    with pytest.raises(InputError, match='"maybe"; allowed: the model\'s classes'):
        carry_out(
            Recipe(steps=STEPS, data=SETTINGS),
            numbers.subject,
            rows,
            definition,
            folder=tmp_path,
            progress=Telling(),
        )


def test_a_model_of_any_kind_begins_a_recipe(trees: Case, numbers: Case, definition: Definition) -> None:
    kinds = [subject_of(one, definition, columns).kind for one, columns in begun(trees, numbers)]
    assert kinds == ["ensemble", "torch"]


def begun(trees: Case, numbers: Case) -> Iterator[tuple[object, list[str] | None]]:
    yield trees.subject.ensemble, None
    yield numbers.subject.module().module, None
