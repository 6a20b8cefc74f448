"""Columns of a frame as the tensors that graphs take, and back.

A null is a row of a mask; the tensor holds 0, "" or False there, which no answer depends on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.models.tensors import ELEMENTS
from unisono.spec.errors import InputError
from unisono.spec.types import Decimal, DType
from unisono.spec.types import Tensor as TensorType
from unisono.spec.wording import listing, one_line

Tensor = NDArray[Any]
Mask = NDArray[np.bool_]

_EXACT = 1 << 53  # every whole number up to here is a float64


@dataclass(frozen=True, slots=True)
class Representation:
    """How a dtype looks inside a graph.

    tensor: numpy type of the tensor; object for strings.
    fill:   what stands where there is no value.
    """

    tensor: type[np.generic] | type[object]
    fill: object


_FLOAT = Representation(np.float64, 0.0)
_REPRESENTATIONS: Mapping[str, Representation] = {
    "String": Representation(object, ""),
    "Int64": Representation(np.int64, 0),
    "Float64": _FLOAT,
    "Decimal": _FLOAT,  # rounded once
    "Bool": Representation(np.bool_, False),
    "Timestamp": Representation(np.int64, 0),  # microseconds since 1970, UTC
}


def representation(dtype: DType) -> Representation:
    """How a dtype looks inside a graph; a Tensor has its shape after the rows."""
    if isinstance(dtype, TensorType):
        return Representation(ELEMENTS[dtype.element], 0)
    return _REPRESENTATIONS[dtype.name]


def encode(column: pl.Series, dtype: DType, *, place: str, timezone: str | None = None) -> tuple[Tensor, Mask]:
    """A column as a tensor, and where it has no value.

    column:   what the dtype allows; Decimal also as whole numbers or as floats that are decimals of so many places; a
              Tensor as Polars' Array of its element and shape, no row null.
    place:    what the frame is, for messages.
    timezone: IANA zone of timestamps that carry none; None: such timestamps are refused.

    Raises InputError.
    """
    if column.dtype == pl.Null and dtype.name != "Tensor":
        return _nothing(len(column), dtype), np.ones(len(column), np.bool_)
    checked = _ENCODERS[dtype.name](column, dtype, _Place(place, column), timezone)
    nulls: Mask = column.is_null().to_numpy()
    return checked, nulls


def _nothing(rows: int, dtype: DType) -> Tensor:
    shape = representation(dtype)
    return np.full(rows, shape.fill, shape.tensor)


@dataclass(frozen=True, slots=True)
class _Place:
    frame: str
    column: pl.Series

    def error(self, seen: str, allowed: str, step: str, row: int | None = None) -> InputError:
        at = "" if row is None else f", row {row}"
        return InputError(f'{self.frame}, column "{self.column.name}"{at}: {seen}; allowed: {allowed}; {step}')

    def wrong_dtype(self, allowed: str) -> InputError:
        return self.error(f"dtype {self.column.dtype}", allowed, "cast the column, or change the schema")

    def refuse(self, wrong: Mask, allowed: str, step: str) -> None:
        if wrong.any():
            row = int(wrong.argmax())
            raise self.error(one_line(repr(self.column[row]), length=60), allowed, step, row)


def _strings(column: pl.Series, dtype: DType, place: _Place, timezone: str | None) -> Tensor:
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum):
        raise place.wrong_dtype("String: a column of text")
    texts: Tensor = column.cast(pl.String).fill_null("").to_numpy()
    return texts.astype(object)


def _integers(column: pl.Series, dtype: DType, place: _Place, timezone: str | None) -> Tensor:
    if not column.dtype.is_integer():
        raise place.wrong_dtype("Int64: a column of whole numbers")
    narrowed = column.cast(pl.Int64, strict=False)
    lost = (narrowed.is_null() & column.is_not_null()).to_numpy()
    place.refuse(lost, "whole numbers of 64 bits", "divide them, or use Float64")
    return _plain(narrowed, 0)


def _booleans(column: pl.Series, dtype: DType, place: _Place, timezone: str | None) -> Tensor:
    if column.dtype != pl.Boolean:
        raise place.wrong_dtype("Bool: a column of true and false")
    return _plain(column, False)


def _floats(column: pl.Series, dtype: DType, place: _Place, timezone: str | None) -> Tensor:
    if column.dtype.is_integer():
        large = ((column > _EXACT) | (column < -_EXACT)).fill_null(value=False).to_numpy()
        place.refuse(large, "whole numbers up to 2**53", "use Int64")
    elif not column.dtype.is_float():
        raise place.wrong_dtype("Float64: a column of floats")
    return _plain(column.cast(pl.Float64), 0.0)


def _plain(column: pl.Series, fill: object) -> Tensor:
    filled = column.fill_null(fill) if column.null_count() else column
    array: Tensor = np.ascontiguousarray(filled.rechunk().to_numpy())
    return array


def _times(column: pl.Series, dtype: DType, place: _Place, timezone: str | None) -> Tensor:
    kind = column.dtype
    if not isinstance(kind, pl.Datetime):
        raise place.wrong_dtype("Timestamp: a Datetime column with a time zone")
    if kind.time_zone is None:
        column = _zoned(column, place, timezone)
    ticks = column.to_physical()
    if kind.time_unit == "ns":
        finer = (ticks % 1000 != 0).fill_null(value=False).to_numpy()
        place.refuse(finer, "whole microseconds", 'round first, e.g. .dt.truncate("1us")')
        ticks = ticks // 1000
    return _plain(ticks * 1000 if kind.time_unit == "ms" else ticks, 0)


def _zoned(column: pl.Series, place: _Place, timezone: str | None) -> pl.Series:
    if timezone is None:
        raise place.error(
            "timestamps without a time zone", "timestamps with one", 'convert them: .dt.replace_time_zone("UTC")'
        )
    zoned = column.dt.replace_time_zone(timezone, ambiguous="null", non_existent="null")
    lost = (zoned.is_null() & column.is_not_null()).to_numpy()
    place.refuse(lost, f"a local time that exists once in {timezone}", "give such rows with their offset")
    return zoned


def _decimals(column: pl.Series, dtype: DType, place: _Place, timezone: str | None) -> Tensor:
    assert isinstance(dtype, Decimal)
    kind = column.dtype
    if kind.is_float():
        return _faithful(column, dtype, place)
    if not (kind.is_integer() or isinstance(kind, pl.Decimal)):
        raise place.wrong_dtype(f"{dtype}: a column of decimals, whole numbers or floats")
    scale = kind.scale if isinstance(kind, pl.Decimal) else 0
    digits = column.to_physical().cast(pl.Int128).fill_null(0)
    if scale > dtype.places:
        rest = digits % pl.Series([10 ** (scale - dtype.places)], dtype=pl.Int128)
        finer = (rest != 0).to_numpy()
        place.refuse(finer, f"{dtype}: at most {dtype.places} decimal places", "round it")
    return _quotients(digits, 10**scale)


def _quotients(digits: pl.Series, power: int) -> Tensor:
    """digits / power, each rounded once."""
    small = ((digits >= -_EXACT) & (digits <= _EXACT)).to_numpy()
    # Both are float64 exactly, and a division is rounded once.
    values: Tensor = digits.cast(pl.Float64).to_numpy() / float(power)
    if not small.all():
        for row in np.flatnonzero(~small):
            values[row] = float(Fraction(int(digits[int(row)]), power))
    return values


def _faithful(column: pl.Series, dtype: Decimal, place: _Place) -> Tensor:
    values = _plain(column.cast(pl.Float64), 0.0)
    power = 10.0**dtype.places
    with np.errstate(all="ignore"):  # NaN, infinities and overflow are found by the comparison
        digits = np.rint(values * power)
        unfaithful: Mask = ~((digits / power == values) & (np.abs(digits) < 2.0**63))
    allowed = f"{dtype}: a float that is a decimal of {dtype.places} places"
    place.refuse(unfaithful, allowed, "round it, or declare more places or Float64")
    return values


def _tensors(column: pl.Series, dtype: DType, place: _Place, timezone: str | None) -> Tensor:
    assert isinstance(dtype, TensorType)
    if column.dtype != pl.Array(getattr(pl, dtype.element), dtype.shape):
        kind = f"pl.Array(pl.{dtype.element}, {dtype.shape})"
        raise place.error(f"dtype {column.dtype}", f"{dtype}: a column of {kind}", f"cast it: .cast({kind})")
    values: Tensor = column.rechunk().to_numpy().reshape(len(column), *dtype.shape)
    if values.dtype.kind == "f":  # also whole numbers, if one is missing
        gaps: Mask = np.logical_not(np.isfinite(values).reshape(len(values), dtype.size).all(axis=1))
        place.refuse(gaps, f"{dtype}: finite numbers, none missing", "fill the gaps, or leave the row out")
    return np.ascontiguousarray(values, ELEMENTS[dtype.element])


_ENCODERS = {
    "String": _strings,
    "Int64": _integers,
    "Float64": _floats,
    "Decimal": _decimals,
    "Bool": _booleans,
    "Timestamp": _times,
    "Tensor": _tensors,
}

_FRAME_TYPES: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "String": pl.String,
    "Int64": pl.Int64,
    "Float64": pl.Float64,
    "Bool": pl.Boolean,
    "Timestamp": pl.Datetime("us", "UTC"),
}


def decode(name: str, values: Tensor, nulls: Mask | None, dtype: DType) -> pl.Series:
    """A tensor as a column. NaN is the canonical one: its bits depend on where in a batch it was computed."""
    if values.dtype == np.float64:
        values = np.where(np.isnan(values), np.nan, values)
    series = pl.Series(name, values, strict=True) if values.dtype != object else pl.Series(name, values, pl.String)
    typed = series.cast(_FRAME_TYPES[dtype.name])
    return typed if nulls is None or not nulls.any() else typed.set(pl.Series(nulls), None)


def missing_column(place: str, column: str, present: list[str], step: str) -> InputError:
    """The error for a column that a frame lacks."""
    return InputError(
        f'{place}, column "{column}": there is no such column; allowed: a frame with it '
        f"(it has {listing(present)}); {step}"
    )
