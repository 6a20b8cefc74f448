"""Which rows a sink has already, by a key column."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.features.numbers import refuse_nulls
from unisono.features.places import Place


class KnownKeys:
    """The keys of the rows that are there. Memory: the keys, sorted.

    keys: of the sink; None: it holds nothing.
    """

    def __init__(self, column: str, keys: pl.Series | None) -> None:
        self.column = column
        self._sorted = None if keys is None or keys.is_empty() else keys.drop_nulls().sort()

    def unknown(self, column: pl.Series, place: Place) -> NDArray[np.bool_]:
        """Where a row is new. Raises InputError for a row without a key, or keys of another type."""
        refuse_nulls(column, place.of(self.column), step="give every row a key")
        known = self._sorted
        if known is None:
            return np.ones(len(column), np.bool_)
        if column.dtype != known.dtype:
            column, known = self._texts(column, place)
        found = known.gather(known.search_sorted(column).clip(upper_bound=len(known) - 1))
        fresh: NDArray[np.bool_] = (found != column).to_numpy()
        return fresh

    def _texts(self, column: pl.Series, place: Place) -> tuple[pl.Series, pl.Series]:
        """Both as text: a file of text has its keys so."""
        known = self._known_texts
        if known is None or not (column.dtype.is_integer() or column.dtype == pl.String):
            raise place.of(self.column).wrong_dtype(column, "the dtype that it has in the sink")
        return column.cast(pl.String), known

    @cached_property
    def _known_texts(self) -> pl.Series | None:
        known = self._sorted
        is_plain = known is not None and (known.dtype.is_integer() or known.dtype == pl.String)
        return known.cast(pl.String).sort() if known is not None and is_plain else None
