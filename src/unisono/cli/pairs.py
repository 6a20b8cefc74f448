"""NAME=VALUE, as several options take it."""

from __future__ import annotations

from collections.abc import Sequence

from unisono.spec.errors import InputError
from unisono.spec.wording import quoted


def numbers_of(given: Sequence[str], what: str) -> dict[str, float]:
    """What NAME=VALUE options say, by name.

    what: one of them is called in an error.

    Raises InputError for what is no number, or is given twice.
    """
    found: dict[str, float] = {}
    for text in given:
        name, equals, number = text.partition("=")
        try:
            value = float(number)
        except ValueError:
            equals = ""
        if not equals or name in found:
            seen = "given twice" if name in found else "not NAME=VALUE"
            raise InputError(f"{what} {quoted(text)}: {seen}; allowed: a name and a number, each name once; correct it")
        found[name] = value
    return found
