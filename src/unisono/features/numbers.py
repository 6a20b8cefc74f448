"""Columns of a frame as the numbers the kernel folds: int64 or float64, one a row, exactly what was written.

A column that is already such numbers is not copied. What cannot be taken over exactly is refused, with column and row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.features.places import Place
from unisono.kernel.codec import NULL_FLOAT_BITS, NULL_INT
from unisono.kernel.layout import NAN_BITS
from unisono.spec.durations import EARLIEST_US, LATEST_US
from unisono.spec.types import Decimal, DType

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Numbers = Ints | Floats
Bits = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_CHUNK = 1 << 15  # rows whose temporaries stay in the cache
_EXACT = 1 << 53  # every whole number up to here is a float64
_PER_US = {"us": 1, "ms": 1000, "ns": 1}


def times(column: pl.Series, place: Place, timezone: str | None) -> Ints:
    """Instants in microseconds since 1970, UTC; NULL_INT where there is none.

    column:   Datetime with a zone, or without one where `timezone` says which is meant.
    timezone: IANA name, or None.
    """
    dtype = column.dtype
    if not isinstance(dtype, pl.Datetime):
        raise place.wrong_dtype(column, "Timestamp: a Datetime column with a time zone")
    if dtype.time_zone is None:
        column = _in_zone(column, place, timezone)
    ticks = integers(column.to_physical(), place)
    known = ticks != NULL_INT if column.null_count() else None
    if dtype.time_unit == "ns":
        ticks = _whole_microseconds(column, ticks, known, place)
    elif dtype.time_unit == "ms":
        _refuse(column.to_physical(), _beyond(ticks, EARLIEST_US // 1000, LATEST_US // 1000, known), place, _TIMES)
        ticks = np.where(ticks == NULL_INT, NULL_INT, ticks * 1000)
    _refuse(column.to_physical(), _beyond(ticks, EARLIEST_US, LATEST_US, known), place, _TIMES)
    return ticks


# Such an instant is shown as its ticks: Python has no way to write it.
_TIMES = "the years 1 to 9999; correct the value"


def _in_zone(column: pl.Series, place: Place, timezone: str | None) -> pl.Series:
    if timezone is None:
        raise place.error(
            "timestamps without a time zone",
            "timestamps with one",
            'convert them, e.g. .dt.replace_time_zone("UTC"), or declare timezone= in the source',
        )
    zoned = column.dt.replace_time_zone(timezone, ambiguous="null", non_existent="null")
    lost = (zoned.is_null() & column.is_not_null()).to_numpy()
    _refuse(column, lost, place, f"a local time that exists once in {timezone}; give such rows with their offset")
    return zoned


def _whole_microseconds(column: pl.Series, ticks: Ints, known: Mask | None, place: Place) -> Ints:
    finer = ticks % 1000 != 0
    if known is not None:
        finer &= known
    _refuse(column, finer, place, 'whole microseconds; round first, e.g. .dt.truncate("1us")')
    return np.where(ticks == NULL_INT, NULL_INT, ticks // 1000)


def _beyond(ticks: Ints, low: int, high: int, known: Mask | None) -> Mask | None:
    values = ticks if known is None else ticks[known]
    if not len(values) or (values.min() >= low and values.max() <= high):
        return None
    outside = (ticks < low) | (ticks > high)
    return outside if known is None else outside & known


def fixed(column: pl.Series, dtype: DType, place: Place, timezone: str | None = None) -> Ints:
    """The values times 10**places, as whole numbers (places is 0 but for Decimal); NULL_INT where there is none.

    column: what the dtype allows: whole numbers, booleans, instants; for Decimal also decimals and floats, if the float
            is the one nearest to a decimal of so many places. A String column gives 0 for each value, to be counted.
    """
    if isinstance(dtype, Decimal):
        return _decimals(column, dtype, place)
    if dtype.name == "Timestamp":
        return times(column, place, timezone)
    if dtype.name == "Bool":
        return integers(booleans(column, place).cast(pl.Int64), place)
    if dtype.name == "String":
        texts = strings(column, place)
        return np.where(texts.is_null().to_numpy(), NULL_INT, np.int64(0)) if texts.null_count() else _zeros(texts)
    return whole(column, place)


def _zeros(column: pl.Series) -> Ints:
    return np.zeros(len(column), np.int64)


def whole(column: pl.Series, place: Place) -> Ints:
    """An Int64 column; NULL_INT where there is none. The one number that means null is refused."""
    if column.dtype == pl.Null:
        column = column.cast(pl.Int64)
    if not column.dtype.is_integer():
        raise place.wrong_dtype(column, "Int64: a column of whole numbers")
    narrowed = column if column.dtype == pl.Int64 else column.cast(pl.Int64, strict=False)
    if narrowed.null_count() > column.null_count():
        lost = (narrowed.is_null() & column.is_not_null()).to_numpy()
        _refuse(column, lost, place, "whole numbers of 64 bits; divide them, or use Float64")
    lowest = narrowed.min()
    if lowest == NULL_INT:
        _refuse(column, _where(narrowed == NULL_INT), place, "whole numbers above -2**63")
    return integers(narrowed, place)


def integers(column: pl.Series, place: Place) -> Ints:
    """The int64 numbers of an Int64 series, without a copy where there are no nulls."""
    return _view(column.fill_null(NULL_INT) if column.null_count() else column)


def pieces(column: pl.Series) -> Iterator[NDArray[Any]]:
    """A column without nulls as arrays that fit into the cache, one after the other; nothing is copied."""
    for chunk in column.get_chunks():
        values = chunk.to_numpy()
        for start in range(0, len(values), _CHUNK):
            yield values[start : start + _CHUNK]


def _view(column: pl.Series) -> Ints:
    array: Ints = column.rechunk().to_numpy()
    return array


def _decimals(column: pl.Series, dtype: Decimal, place: Place) -> Ints:
    kind = column.dtype
    if kind.is_float():
        return _decimals_of_floats(column.cast(pl.Float64), dtype.places, place)
    if kind == pl.Null:
        return np.full(len(column), NULL_INT)
    if not (kind.is_integer() or isinstance(kind, pl.Decimal)):
        raise place.wrong_dtype(column, f"{dtype}: a column of decimals, whole numbers or floats")
    scale = kind.scale if isinstance(kind, pl.Decimal) else 0
    return _rescaled(column, column.to_physical().cast(pl.Int128), dtype.places - scale, place, dtype)


def _rescaled(column: pl.Series, digits: pl.Series, shift: int, place: Place, dtype: Decimal) -> Ints:
    if shift == 0:
        narrow = digits.cast(pl.Int64, strict=False)
        if narrow.null_count() == column.null_count() and narrow.min() != NULL_INT:
            return integers(narrow, place)
    allowed = f"{dtype}: at most {dtype.places} decimal places, below {10 ** (18 - dtype.places)}"
    down, up = (pl.lit(10 ** max(places, 0), pl.Int128) for places in (-shift, shift))
    # Series have no arithmetic on 128 bits, expressions have.
    found = digits.to_frame("d").select(whole=pl.col("d") // down, rest=pl.col("d") % down)
    _refuse(column, _where(found.get_column("rest") != 0), place, f"{allowed}; round it")
    room = ((1 << 63) - 1) // 10 ** max(shift, 0)
    beyond = found.select((pl.col("whole") > room) | (pl.col("whole") < -room)).to_series()
    _refuse(column, _where(beyond), place, f"{allowed}; use fewer places")
    return integers(found.select((pl.col("whole") * up).cast(pl.Int64)).to_series(), place)


def _where(found: pl.Series) -> Mask:
    mask: Mask = found.fill_null(value=False).to_numpy()
    return mask


def _decimals_of_floats(column: pl.Series, places: int, place: Place) -> Ints:
    scaled = np.empty(len(column), np.int64)
    power, done = 10.0**places, 0
    for piece in pieces(column.fill_null(0.0) if column.null_count() else column):
        with np.errstate(all="ignore"):  # NaN, infinities and overflow are found by the comparison
            digits = np.rint(piece * power)
            faithful = (digits / power == piece) & (np.abs(digits) < 2.0**63)
            if not faithful.all():
                _refuse(column, _at(~faithful, done, len(column)), place, _faithful(places))
            scaled[done : done + len(piece)] = digits
        done += len(piece)
    if column.null_count():
        scaled[column.is_null().to_numpy()] = NULL_INT
    return scaled


def _faithful(places: int) -> str:
    step = "round it, or declare more places or Float64"
    return f"Decimal({places}): a float that is a decimal of {places} places; {step}"


def _at(mask: Mask, start: int, rows: int) -> Mask:
    whole_mask = np.zeros(rows, np.bool_)
    whole_mask[start : start + len(mask)] = mask
    return whole_mask


def floats(column: pl.Series, place: Place) -> Floats:
    """A Float64 column; the null payload where there is none. No value has that payload: NaN is canonical."""
    kind = column.dtype
    if kind == pl.Null:
        column = column.cast(pl.Float64)
    elif kind.is_integer():
        large = (column > _EXACT) | (column < -_EXACT)
        _refuse(column, _where(large), place, "whole numbers up to 2**53; use Int64")
        column = column.cast(pl.Float64)
    elif not kind.is_float():
        raise place.wrong_dtype(column, "Float64: a column of floats")
    column = column.cast(pl.Float64)
    return _with_nulls(column, column.rechunk().fill_null(0.0).to_numpy())


def _with_nulls(column: pl.Series, values: Floats) -> Floats:
    strange = values.view(np.int64) == NULL_FLOAT_BITS
    nulls = column.null_count()
    if nulls or strange.any():
        values = values.copy()
        bits = values.view(np.int64)
        bits[strange] = NAN_BITS
        if nulls:
            bits[column.is_null().to_numpy()] = NULL_FLOAT_BITS
    return values


def booleans(column: pl.Series, place: Place) -> pl.Series:
    """A Bool column as it is."""
    if column.dtype not in (pl.Boolean, pl.Null):
        raise place.wrong_dtype(column, "Bool: a column of true and false")
    return column.cast(pl.Boolean)


def strings(column: pl.Series, place: Place) -> pl.Series:
    """A String column; categories as their text."""
    if column.dtype not in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        raise place.wrong_dtype(column, "String: a column of text")
    return column.cast(pl.String)


def _refuse(column: pl.Series, wrong: Mask | None, place: Place, allowed: str) -> None:
    """Raises InputError for the first row that is wrong. `allowed` ends with the next step after a semicolon."""
    if wrong is None or not wrong.any():
        return
    row = int(np.argmax(wrong))
    limits, _, step = allowed.partition("; ")
    raise place.at(row).error(shown(column[row]), limits, step or "correct the value")


def shown(value: object) -> str:
    """A value of a frame as a message shows it."""
    text = repr(value) if isinstance(value, str | float) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def refuse_nulls(column: pl.Series, place: Place, *, step: str) -> None:
    """Raises InputError for the first row without a value."""
    if column.null_count():
        row = int(column.is_null().to_numpy().argmax())
        raise place.at(row).error("no value", "a value in every row", step)
