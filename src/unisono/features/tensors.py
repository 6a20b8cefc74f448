"""Tensor columns: nested lists, checked, as Polars' Array of the declared element and shape."""

from __future__ import annotations

from math import prod

import polars as pl

from unisono.features.numbers import shown
from unisono.features.places import Place
from unisono.spec.types import Tensor


def array_dtype(dtype: Tensor) -> pl.Array:
    """The Polars dtype of a Tensor column in its one form."""
    return pl.Array(getattr(pl, dtype.element), dtype.shape)


def tensors(column: pl.Series, dtype: Tensor, place: Place) -> pl.Series:
    """A Tensor column in its one form.

    column: lists or arrays as deep as the shape has sides, of numbers. For an integer element they are whole numbers in
            its range; for a float element they are rounded once, from float64, and finite. Nothing is null.

    Raises InputError.
    """
    level = column
    for depth, side in enumerate(dtype.shape):
        if isinstance(level.dtype, pl.Array):
            level = level.arr.to_list()
        if not isinstance(level.dtype, pl.List):
            raise place.wrong_dtype(column, f"{dtype}: a column of lists, {len(dtype.shape)} deep, of numbers")
        _refuse(column, level.list.len() != side, prod(dtype.shape[:depth]), dtype, place)
        level = level.explode()
    numbers = _numbers(level, dtype, place, column)
    _refuse(column, numbers.is_null(), dtype.size, dtype, place)
    return numbers.reshape((len(column), *dtype.shape))


def _numbers(level: pl.Series, dtype: Tensor, place: Place, column: pl.Series) -> pl.Series:
    """The numbers of all rows one after the other; null where one is out of range."""
    element = getattr(pl, dtype.element)
    is_float = dtype.element.startswith("Float")
    if not (level.dtype.is_integer() or (is_float and level.dtype.is_numeric())):
        raise place.wrong_dtype(column, f"{dtype}: a column of {'numbers' if is_float else 'whole numbers'}")
    if not is_float:
        return level.cast(element, strict=False)
    rounded = level.cast(pl.Float64).cast(element)
    return rounded.set(~rounded.is_finite().fill_null(value=True), None)


def _refuse(column: pl.Series, wrong: pl.Series, size: int, dtype: Tensor, place: Place) -> None:
    """Raises InputError for the first row with a wrong part, of which a row has `size`; null is wrong."""
    faults = wrong.fill_null(value=True)
    if faults.any():
        row = int(faults.to_numpy().argmax()) // size
        allowed = f"{dtype}: lists of that shape, of finite numbers in its range, none missing"
        value = column[row]
        seen = shown(value if value is None else value.to_list())
        raise place.at(row).error(seen, allowed, "correct the value, or leave the row out")
