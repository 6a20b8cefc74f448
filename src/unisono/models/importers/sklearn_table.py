"""The columns between two steps of a pipeline, while it is written down as a graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from unisono.models.emit import Emitter
from unisono.models.importers.sklearn_text import Words
from unisono.spec.errors import ModelError


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    tensor: the value that holds it: a float64 matrix, strings, one a row, or the numbers of the words of texts.
    place:  its place in the matrix; None for strings and texts.
    width:  the number of columns of the matrix.
    words:  of texts: what the numbers stand for.
    """

    tensor: str
    place: int | None = None
    width: int = 1
    words: Words | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Columns in order."""

    columns: tuple[Column, ...]

    def __len__(self) -> int:
        return len(self.columns)

    def select(self, places: Iterable[int]) -> Table:
        """Some of the columns."""
        return Table(tuple(self.columns[place] for place in places))

    def numbers(self, emit: Emitter, *, reader: str) -> str:
        """All columns as one float64 matrix. Raises ModelError if one holds strings.

        reader: which step wants them, for the message.
        """
        if any(column.place is None for column in self.columns):
            raise ModelError(
                f"model: {reader} reads a String column as a number; allowed: numbers; "
                "encode it first, e.g. with OneHotEncoder, or derive a number with unisono.category"
            )
        runs = [(tensor, list(run)) for tensor, run in groupby(self.columns, key=lambda column: column.tensor)]
        parts = [_part(emit, tensor, run) for tensor, run in runs]
        return parts[0] if len(parts) == 1 else emit("Concat", *parts, axis=1)


def _part(emit: Emitter, tensor: str, columns: Sequence[Column]) -> str:
    places = [column.place for column in columns]
    if places == list(range(columns[0].width)):
        return tensor
    return emit("Gather", tensor, emit.constant(np.array(places, np.int64)), axis=1)


def table_of(tensor: str, width: int) -> Table:
    """The columns of a matrix."""
    return Table(tuple(Column(tensor, place, width) for place in range(width)))


def side_by_side(tables: Iterable[Table]) -> Table:
    """The columns of several tables."""
    return Table(tuple(column for table in tables for column in table.columns))
