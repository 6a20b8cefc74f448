"""The types a column can have."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from unisono.spec.errors import DefinitionError
from unisono.spec.wording import listing, quoted

MAX_PLACES = 18  # 10**18 is the largest power of ten in an int64

DTYPE_NAMES = ("String", "Int64", "Float64", "Bool", "Timestamp", "Decimal")


@dataclass(frozen=True, slots=True)
class DType:
    """The type of a column: one object a type, also after pickling; a `Decimal` is equal to any of as many places.

    name: one of DTYPE_NAMES.
    """

    name: str

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return str(self)

    def __reduce__(self) -> tuple[Callable[[str], DType], tuple[str]]:
        return (parse_dtype, (str(self),))


@dataclass(frozen=True, slots=True, repr=False)
class Decimal(DType):
    """A number with a fixed count of decimal places, held as an int64 of 10**-places and summed exactly.

    places: 0 to 18.

    >>> Decimal(places=2)
    Decimal(2)
    """

    name: str = field(default="Decimal", init=False)
    places: int

    def __post_init__(self) -> None:
        if type(self.places) is not int or not 0 <= self.places <= MAX_PLACES:
            raise DefinitionError(
                f"Decimal: places: {quoted(self.places)} is not a number of decimal places; "
                f"allowed: a whole number from 0 to {MAX_PLACES}; write e.g. Decimal(places=2)"
            )

    def __str__(self) -> str:
        return f"Decimal({self.places})"


String = DType("String")
Int64 = DType("Int64")
Float64 = DType("Float64")
Bool = DType("Bool")
Timestamp = DType("Timestamp")

_PLAIN = {dtype.name: dtype for dtype in (String, Int64, Float64, Bool, Timestamp)}
_DECIMAL = re.compile(r"Decimal\(([0-9]{1,2})\)")


def parse_dtype(text: str) -> DType:
    """The dtype that prints as `text`. Raises DefinitionError.

    >>> parse_dtype("Decimal(2)") == Decimal(places=2), parse_dtype("Int64") is Int64
    (True, True)
    """
    if text in _PLAIN:
        return _PLAIN[text]
    if match := _DECIMAL.fullmatch(text):
        return Decimal(places=int(match[1]))
    raise DefinitionError(
        f'dtype: {quoted(text)} is not a dtype; allowed: {listing(DTYPE_NAMES)}; write e.g. "Int64" or "Decimal(2)"'
    )
