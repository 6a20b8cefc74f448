"""Which rows belong together: the values of columns, tenths of numbers and of texts' lengths, and the classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.compress.data import Data, column_of

MOST_VALUES = 50
"""Of a column, the most frequent ones; more questions make the answer to each less sure."""

_FEWEST = 20  # rows of a slice: fewer say nothing, and cost the others some of their certainty
_MANY = 20  # values of a numeric column, from which on tenths are made
_TENTHS = 10
_LONG = 0.5  # share of the rows with a text of their own, from which on lengths are looked at


@dataclass(frozen=True, slots=True)
class Slice:
    """Some of the rows.

    column, value: what they have in common.
    rows:          a row: whether it is one of them.
    """

    column: str
    value: str
    rows: NDArray[np.bool_]


def slices_of(data: Data) -> list[Slice]:
    """The slices of the test rows: each class, and of each column of `data.slices` every value; of numbers with many
    values tenths, of texts that hardly come twice tenths of their lengths."""
    test = data.test
    found = list(_values(data.label, test.get_column(data.label))) if data.classes else []
    for name in data.slices:
        if name == data.label and data.classes:
            continue
        found += _of_column(name, column_of(test, name, "slice of the report"))
    return [one for one in found if one.rows.sum() >= _FEWEST]


def _of_column(name: str, column: pl.Series) -> Iterator[Slice]:
    if column.dtype.is_numeric() and column.n_unique() > _MANY:
        return _tenths(name, column)
    if column.dtype == pl.String and column.n_unique() > max(_MANY, _LONG * len(column)):
        return _tenths(f"length of {name}", column.str.len_chars())
    return _values(name, column)


def _values(name: str, column: pl.Series) -> Iterator[Slice]:
    texts = column.cast(pl.String, strict=False).fill_null("(none)").to_numpy()
    values, counts = np.unique(texts, return_counts=True)
    for place in np.argsort(-counts, kind="stable")[:MOST_VALUES]:
        yield Slice(name, str(values[place]), texts == values[place])


def _tenths(name: str, column: pl.Series) -> Iterator[Slice]:
    numbers = column.cast(pl.Float64).fill_nan(None).fill_null(np.nan).to_numpy()
    missing = np.isnan(numbers)
    known = numbers[~missing]
    edges = np.unique(np.quantile(known, np.arange(1, _TENTHS) / _TENTHS)) if len(known) else known
    places = np.searchsorted(edges, numbers, side="left")
    for place in range(len(edges) + 1):
        rows = (places == place) & ~missing
        if rows.any():
            yield Slice(name, f"{numbers[rows].min():g} to {numbers[rows].max():g}", rows)
    if missing.any():
        yield Slice(name, "(none)", missing)
