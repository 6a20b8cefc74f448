"""Numbers that describe something that can be."""

from __future__ import annotations

from collections.abc import Mapping

from unisono.spec.errors import DefinitionError
from unisono.spec.wording import quoted


def check_counts(what: str, one: object, least: Mapping[str, int]) -> None:
    """Raises DefinitionError of all attributes that are not whole numbers from the least one on."""
    _refuse(what, one, least, is_whole=True)


def check_amounts(what: str, one: object, least: Mapping[str, int]) -> None:
    """Raises DefinitionError of all attributes that are not numbers from the least one on."""
    _refuse(what, one, least, is_whole=False)


def _refuse(what: str, one: object, least: Mapping[str, int], *, is_whole: bool) -> None:
    words = "a whole number" if is_whole else "a number"
    faults = [
        f"{what}: {name}: {quoted(getattr(one, name))}; allowed: {words} from {limit} on"
        for name, limit in least.items()
        if not _is_from(getattr(one, name), limit, is_whole=is_whole)
    ]
    if faults:
        raise DefinitionError(faults)


def _is_from(value: object, limit: int, *, is_whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (isinstance(value, int) or not is_whole) and value >= limit
