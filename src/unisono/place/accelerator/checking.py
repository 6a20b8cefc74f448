"""Numbers that describe something that can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unisono.spec.errors import DefinitionError
from unisono.spec.wording import quoted


def check_counts(what: str, one: object, least: Mapping[str, int]) -> None:
    """Raises DefinitionError of all attributes that are not whole numbers from the least one on."""
    _refuse(what, one, least, int, "a whole number")


def check_amounts(what: str, one: object, least: Mapping[str, int]) -> None:
    """Raises DefinitionError of all attributes that are not numbers from the least one on."""
    _refuse(what, one, least, (int, float), "a number")


def _refuse(what: str, one: object, least: Mapping[str, int], kinds: type | tuple[type, ...], words: str) -> None:
    found: Mapping[str, Any] = {name: getattr(one, name) for name in least}
    faults = [
        f"{what}: {name}: {quoted(value)}; allowed: {words} from {least[name]} on"
        for name, value in found.items()
        if not isinstance(value, kinds) or isinstance(value, bool) or not value >= least[name]
    ]
    if faults:
        raise DefinitionError(faults)
