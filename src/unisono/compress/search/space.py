"""What a search may vary: a recipe in which some settings are ranges or choices.

    [[steps]]
    step = "prune_trees"
    keep = {low = 0.02, high = 0.5, log = true}
    teacher_share = {choices = [0.0, 0.5]}

    [[steps]]
    choices = [{step = "quantise"}, {step = "quantise", method = "static"}]
    optional = true

A setting with `low` and `high` is a number between them (a whole one if both are), one with `choices` one of them. A
step can be a choice too, and `optional` may leave it out. `runtime` may be a choice. What a choice that was not taken
would vary is not asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unisono.compress.recipe import Recipe, read_document, recipe_of
from unisono.spec.errors import DefinitionError

_OPTIONAL = "optional"
_RANGE = ("low", "high", "log")


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from low to high, both included; `log`: each doubling is as likely as the next."""

    low: float
    high: float
    log: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether its numbers are whole."""
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True, slots=True)
class Choices:
    """One of some values."""

    options: tuple[Any, ...]


Ask = Callable[[str, Range | Choices], Any]
"""Chooses: given a name, such as "steps[0].keep", and what may be; of choices it gives the place of one."""


@dataclass(frozen=True, slots=True)
class Space:
    """A recipe with ranges.

    document: as the file has it.
    place:    of the file, for errors.
    """

    document: Mapping[str, Any]
    place: str = "search"

    def fill(self, ask: Ask) -> dict[str, Any]:
        """A recipe's document, with everything chosen."""
        steps = [_filled(f"steps[{number}]", one, ask) for number, one in enumerate(self.document["steps"])]
        others = {name: _filled(name, value, ask) for name, value in self.document.items() if name != "steps"}
        return {**others, "steps": [one for one in steps if one is not None]}

    def recipe(self, ask: Ask) -> Recipe:
        """A recipe, with everything chosen. Raises DefinitionError."""
        return recipe_of(self.fill(ask), self.place)

    @property
    def lowest(self) -> Recipe:
        """One of the recipes: each range at its lower end, of choices the first."""
        return self.recipe(lambda name, what: 0 if isinstance(what, Choices) else what.low)


def _filled(name: str, value: Any, ask: Ask) -> Any:
    if isinstance(value, Mapping):
        return _filled_table(name, value, ask)
    if isinstance(value, list):
        return [_filled(f"{name}[{number}]", one, ask) for number, one in enumerate(value)]
    return value


def _filled_table(name: str, table: Mapping[str, Any], ask: Ask) -> Any:
    if _OPTIONAL in table:
        rest = {key: value for key, value in table.items() if key != _OPTIONAL}
        if table[_OPTIONAL] and not ask(f"{name}.used", Choices((False, True))):
            return None
        return _filled_table(name, rest, ask)
    if set(table) == {"choices"}:
        options = tuple(table["choices"])
        place = ask(name, Choices(options))
        return _filled(f"{name}.choices[{place}]", options[place], ask)
    if {"low", "high"} <= set(table) <= set(_RANGE):
        return ask(name, Range(table["low"], table["high"], bool(table.get("log", False))))
    return {key: _filled(f"{name}.{key}", one, ask) for key, one in table.items()}


def read_space(path: Path) -> Space:
    """The space in a TOML file. Raises DefinitionError with all that is wrong with it, one line each."""
    return space_of(read_document(path), str(path))


def space_of(document: Mapping[str, Any], place: str = "search") -> Space:
    """The space that a document says. Raises DefinitionError with all that is wrong with it, one line each.

    Its ranges are looked at, and its recipes are tried where all ranges are lowest, where all are highest, and with
    every choice taken once.
    """
    if not isinstance(document.get("steps"), list):
        raise DefinitionError(f"{place}: no steps; allowed: steps, as a recipe has them; write [[steps]]")
    space = Space(document, place)
    problems = list(_faults(space))
    if problems:
        raise DefinitionError(problems)
    for ask in _corners(space):
        space.recipe(ask)
    return space


def _faults(space: Space) -> Iterator[str]:
    asked = _everything(space.document)
    if not asked:
        yield f"{space.place}: nothing varies; allowed: settings with low and high, or choices; make one a range"
    for name, found in asked:
        if isinstance(found, Choices):
            if not found.options:
                yield f"{space.place}: {name}: no choices; allowed: one or more; write them"
        elif not _is_range(found):
            seen = f"low = {found.low!r}, high = {found.high!r}" + (", log = true" if found.log else "")
            allowed = "numbers, low below high" + (", both above 0" if found.log else "")
            yield f"{space.place}: {name}: {seen}; allowed: {allowed}; correct them"


def _is_range(found: Range) -> bool:
    ends = (found.low, found.high)
    if any(isinstance(end, bool) or not isinstance(end, int | float) for end in ends):
        return False
    return found.low < found.high and not (found.log and found.low <= 0)


def _everything(value: Any, name: str = "") -> list[tuple[str, Range | Choices]]:
    """Whatever can be asked for, chosen or not."""
    if isinstance(value, list):
        return [found for number, one in enumerate(value) for found in _everything(one, f"{name}[{number}]")]
    if not isinstance(value, Mapping):
        return []
    if {"low", "high"} <= set(value) <= set(_RANGE):
        return [(name, Range(value["low"], value["high"], bool(value.get("log", False))))]
    found: list[tuple[str, Range | Choices]] = []
    if set(value) - {_OPTIONAL} == {"choices"}:
        found.append((name, Choices(tuple(value["choices"]))))
    if value.get(_OPTIONAL):
        found.append((f"{name}.used", Choices((False, True))))
    for key, one in value.items():
        found += _everything(one, f"{name}.{key}" if name else key)
    return found


def _corners(space: Space) -> Iterator[Ask]:
    """Ways of choosing that take each end of all ranges, and each choice at least once."""
    most = max((len(one.options) for _, one in _everything(space.document) if isinstance(one, Choices)), default=1)
    for turn in range(max(most, 2)):

        def ask(name: str, what: Range | Choices, turn: int = turn) -> Any:
            if isinstance(what, Choices):
                return (len(what.options) - 1 - turn) % len(what.options)
            return what.high if turn % 2 == 0 else what.low

        yield ask
