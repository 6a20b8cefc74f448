"""The types a column can have."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

from unisono.spec.errors import DefinitionError
from unisono.spec.wording import listing, quoted

MAX_PLACES = 18  # 10**18 is the largest power of ten in an int64

COLUMN_DTYPES = ("String", "Int64", "Float64", "Bool", "Timestamp", "Decimal")
"""Names of the dtypes with one value a row, which events and what is derived have."""

DTYPE_NAMES = (*COLUMN_DTYPES, "Tensor")
"""Names of all dtypes; a column of a request may have any."""

ELEMENTS = ("UInt8", "Int32", "Int64", "Float32", "Float64")
"""What a tensor can be made of."""

MAX_DIMENSIONS = 6
MAX_ELEMENTS = 1 << 24  # of one row: 64 MiB of Float32


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


@dataclass(frozen=True, slots=True, repr=False)
class Tensor(DType):
    """A block of numbers of one shape in every row: an image, a window of a signal, an embedding.

    element: one of ELEMENTS; floats are finite.
    shape:   its sides, 1 to 6 of them, outermost first; at most 2**24 numbers in all.

    A value is a nested list as deep as the shape has sides, and is never null.

    >>> Tensor("UInt8", (28, 28))
    Tensor(UInt8, (28, 28))
    """

    name: str = field(default="Tensor", init=False)
    element: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.element not in ELEMENTS:
            step = 'write e.g. Tensor("Float32", (384,))'
            raise DefinitionError(f"Tensor: element: {quoted(self.element)}; allowed: {listing(ELEMENTS)}; {step}")
        if not _is_shape(self.shape):
            raise DefinitionError(
                f"Tensor: shape: {quoted(self.shape)}; allowed: a tuple of 1 to {MAX_DIMENSIONS} whole numbers from 1, "
                f"at most {MAX_ELEMENTS} numbers in all; write e.g. (28, 28), or (384,) for one side"
            )

    @property
    def size(self) -> int:
        """How many numbers a row has."""
        return prod(self.shape)

    def __str__(self) -> str:
        return f"Tensor({self.element}, {self.shape})"


def _is_shape(shape: object) -> bool:
    if type(shape) is not tuple or not 1 <= len(shape) <= MAX_DIMENSIONS:
        return False
    return all(type(side) is int and side > 0 for side in shape) and prod(shape) <= MAX_ELEMENTS


String = DType("String")
Int64 = DType("Int64")
Float64 = DType("Float64")
Bool = DType("Bool")
Timestamp = DType("Timestamp")

_PLAIN = {dtype.name: dtype for dtype in (String, Int64, Float64, Bool, Timestamp)}
_DECIMAL = re.compile(r"Decimal\(([0-9]{1,2})\)")
_TENSOR = re.compile(r"Tensor\(([A-Za-z0-9]+), \(([0-9]{1,8}(?:, [0-9]{1,8})*),?\)\)")


def parse_dtype(text: str) -> DType:
    """The dtype that prints as `text`. Raises DefinitionError.

    >>> parse_dtype("Decimal(2)") == Decimal(places=2), parse_dtype("Int64") is Int64
    (True, True)
    """
    if text in _PLAIN:
        return _PLAIN[text]
    if match := _DECIMAL.fullmatch(text):
        return Decimal(places=int(match[1]))
    if (match := _TENSOR.fullmatch(text)) and str(tensor := _tensor(match[1], match[2])) == text:
        return tensor
    raise DefinitionError(
        f'dtype: {quoted(text)} is not a dtype; allowed: {listing(DTYPE_NAMES)}; write e.g. "Int64", "Decimal(2)" or '
        '"Tensor(UInt8, (28, 28))"'
    )


def _tensor(element: str, sides: str) -> Tensor:
    return Tensor(element, tuple(int(side) for side in sides.split(", ")))
