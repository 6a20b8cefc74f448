"""Numbers that describe something that can be."""

from __future__ import annotations

import math
from collections.abc import Mapping

from unisono.spec.errors import DefinitionError
from unisono.spec.wording import quoted

_NO_MOST: Mapping[str, int] = {}


def check_counts(what: str, one: object, least: Mapping[str, int], most: Mapping[str, int] = _NO_MOST) -> None:
    """Raises DefinitionError of all attributes that are not whole numbers from the least one on, up to the most."""
    _refuse(what, one, least, most, is_whole=True)


def check_amounts(what: str, one: object, least: Mapping[str, int]) -> None:
    """Raises DefinitionError of all attributes that are not numbers from the least one on."""
    _refuse(what, one, least, _NO_MOST, is_whole=False)


def _refuse(what: str, one: object, least: Mapping[str, int], most: Mapping[str, int], *, is_whole: bool) -> None:
    words = "a whole number" if is_whole else "a number"
    faults = [
        f"{what}: {name}: {quoted(getattr(one, name))}; allowed: {words} {_between(limit, most.get(name))}"
        for name, limit in least.items()
        if not _is_within(getattr(one, name), limit, most.get(name), is_whole=is_whole)
    ]
    if faults:
        raise DefinitionError(faults)


def _between(low: int, high: int | None) -> str:
    return f"from {low} on" if high is None else f"from {low} to {high}"


def _is_within(value: object, low: int, high: int | None, *, is_whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (isinstance(value, int) or not is_whole) and low <= value <= (math.inf if high is None else high)
