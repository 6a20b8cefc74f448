"""Columns in their one form: what the log keeps and what transforms are given, whatever library they came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from unisono.features import numbers
from unisono.features.places import Place
from unisono.features.tensors import array_dtype, tensors
from unisono.kernel.codec import NULL_INT
from unisono.spec.types import Decimal, DType, Tensor

DIGITS = 38  # of a decimal column: what Arrow's 128 bits hold


def canonical(frame: pl.DataFrame, columns: Mapping[str, DType], place: Place, timezone: str | None) -> pl.DataFrame:
    """These columns of a frame, checked, each in the Polars dtype that `polars_dtype` gives for its dtype.

    Raises InputError for a missing column, another dtype, or a value that cannot be taken over exactly.
    """
    for name in columns:
        if name not in frame.columns:
            raise place.missing(name, frame.columns)
    return pl.DataFrame(
        [
            canonical_series(frame.get_column(name), dtype, place.of(name), timezone).alias(name)
            for name, dtype in columns.items()
        ]
    )


def canonical_series(column: pl.Series, dtype: DType, place: Place, timezone: str | None) -> pl.Series:
    """One column, checked and in its one form."""
    if isinstance(dtype, Decimal):
        return decimals(column.name, numbers.fixed(column, dtype, place), dtype.places)
    if isinstance(dtype, Tensor):
        return tensors(column, dtype, place)
    if dtype.name == "Timestamp":
        return instants(column, place, timezone)
    return _FORMS[dtype.name](column, place)


def polars_dtype(dtype: DType) -> pl.DataType:
    """The Polars dtype of a column in its one form."""
    if isinstance(dtype, Decimal):
        return pl.Decimal(DIGITS, dtype.places)
    if isinstance(dtype, Tensor):
        return array_dtype(dtype)
    return _DTYPES[dtype.name]


_DTYPES: Mapping[str, pl.DataType] = {
    "String": pl.String(),
    "Int64": pl.Int64(),
    "Float64": pl.Float64(),
    "Bool": pl.Boolean(),
    "Timestamp": pl.Datetime("us", "UTC"),
}


def _whole(column: pl.Series, place: Place) -> pl.Series:
    numbers.whole(column, place)
    return column.cast(pl.Int64)


def _floats(column: pl.Series, place: Place) -> pl.Series:
    if column.dtype != pl.Float64:  # of which every value is right
        numbers.floats(column, place)
    return column.cast(pl.Float64)


_FORMS: Mapping[str, Callable[[pl.Series, Place], pl.Series]] = {
    "String": numbers.strings,
    "Int64": _whole,
    "Float64": _floats,
    "Bool": numbers.booleans,
}


def instants(column: pl.Series, place: Place, timezone: str | None) -> pl.Series:
    """A Timestamp column as Datetime of microseconds in UTC."""
    if column.dtype == pl.Datetime("us", "UTC") or column.dtype == pl.Null:
        numbers.times(column.cast(pl.Datetime("us", "UTC")), place, None)
        return column.cast(pl.Datetime("us", "UTC"))
    ticks = pl.Series(column.name, numbers.times(column, place, timezone))
    known = ticks.set(column.is_null(), None) if column.null_count() else ticks
    return known.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def decimals(name: str, digits: numbers.Ints, places: int) -> pl.Series:
    """Whole numbers of 10**-places (NULL_INT: null) as a decimal column."""
    import pyarrow as pa  # 60 ms, only needed where there are decimals

    words = np.empty((len(digits), 2), np.int64)
    words[:, 0] = digits
    words[:, 1] = digits >> 63
    known = digits != NULL_INT
    validity = None if known.all() else pa.py_buffer(np.packbits(known, bitorder="little").tobytes())
    array = pa.Array.from_buffers(pa.decimal128(DIGITS, places), len(digits), [validity, pa.py_buffer(words)])
    column = pl.Series(name, array)
    return column.alias(name)
