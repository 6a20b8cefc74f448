"""Rows that are made by changing rows of a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import polars as pl

from unisono.models.importers.base import NUMBERS
from unisono.models.verifying.values import plain, stored
from unisono.spec.types import DType
from unisono.spec.types import Tensor as TensorType

T = TypeVar("T")

_BASES = 2  # rows of the sample that single columns are changed in


@dataclass(frozen=True, slots=True)
class Change:
    """One row to be made.

    base:    the row of the sample that it is made of.
    values:  column -> what it holds instead.
    kind:    what it is at the edge of; a model that fails on a kind is not asked for it.
    extreme: whether sums in it depend on their order.
    """

    base: int
    values: Mapping[str, Any]
    kind: str
    extreme: bool = False


class Columns:
    """The columns that can be changed, as they are in the sample.

    plain:   each in the form in which values are put into it.
    numbers: those that enter a matrix, as float64; null is NaN.
    bases:   rows to change one column of: without nulls, if there are such.
    """

    def __init__(self, dtypes: Mapping[str, DType], sample: pl.DataFrame) -> None:
        self.dtypes = dtypes
        self.sample = sample
        self.plain = {name: plain(sample.get_column(name), dtype) for name, dtype in dtypes.items()}
        self.numbers = {
            name: one.cast(pl.Float64).fill_null(np.nan).to_numpy()
            for name, one in self.plain.items()
            if dtypes[name].name in NUMBERS
        }
        self.bases = self._bases()

    @property
    def row_bytes(self) -> int:
        """What the tensors of one row take."""
        return sum(8 * dtype.size for dtype in self.dtypes.values() if isinstance(dtype, TensorType))

    def _bases(self) -> list[int]:
        known = np.ones(self.sample.height, np.bool_)
        for column in self.plain.values():
            known &= column.is_not_null().to_numpy()
        rows = np.flatnonzero(known).tolist() or list(range(self.sample.height))
        return sorted({rows[round(part * (len(rows) - 1))] for part in np.linspace(0.0, 1.0, _BASES)})

    def frame(self, changes: Sequence[Change]) -> pl.DataFrame:
        """The rows that changes make."""
        bases = pl.Series([one.base for one in changes], dtype=pl.UInt32)
        frame = self.sample[bases]
        changed = {name: self._changed(name, bases, changes) for name in self.dtypes}
        return frame.with_columns(stored(name, values, self.dtypes[name]) for name, values in changed.items())

    def _changed(self, name: str, bases: pl.Series, changes: Sequence[Change]) -> Any:
        kept = self.plain[name][bases]
        new = ((row, one.values[name]) for row, one in enumerate(changes) if name in one.values)
        values = kept.to_numpy().copy() if self.dtypes[name].name == "Tensor" else kept.to_list()
        for row, value in new:
            values[row] = value
        return values


def spread(entries: Sequence[T], most: int) -> list[T]:
    """So many of them, spread over all."""
    places = np.unique(np.linspace(0, len(entries) - 1, min(most, len(entries))).astype(np.int64))
    return [entries[place] for place in places]
