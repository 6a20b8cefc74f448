"""Rows in Parquet files, read a stretch at a time: memory holds the stretch, however large the files are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from unisono.features.places import Place
from unisono.spec.errors import InputError
from unisono.spec.wording import listing, one_line

_BATCH_ROWS = 1 << 16


@dataclass(frozen=True, slots=True)
class Span:
    """Rows that follow one another in a file.

    number: of this span among all, from 0.
    path:   the file.
    first:  row of the file, from 0.
    rows:   how many.
    """

    number: int
    path: Path
    first: int
    rows: int


class StoredRows:
    """A table in Parquet files with the same columns.

    name:  as messages call it.
    paths: the files, in the order of the table.
    mark:  what it holds, in a word; equal for equal contents.

    Raises InputError if a file is unsound or has other columns than the first.
    """

    def __init__(self, name: str, paths: Sequence[Path], mark: str) -> None:
        self.name, self.mark = name, mark
        self._rows: dict[Path, int] = {}
        self.columns: Sequence[str] = ()
        for path in paths:
            with _opened(path) as file:
                self._take(path, file.schema_arrow.names, file.metadata.num_rows)

    def _take(self, path: Path, columns: list[str], rows: int) -> None:
        if self._rows and set(columns) != set(self.columns):
            odd = sorted(set(columns) ^ set(self.columns))
            raise InputError(
                f"{self.name}, {path.name}: other columns than the first file has ({listing(odd)}); allowed: files of "
                "one table; leave it out of the pattern"
            )
        self.columns = self.columns or columns
        self._rows[path] = rows

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(self._rows.values())

    def place(self, span: Span) -> Place:
        """What messages say of a frame with the rows of a span."""
        where = f"{self.name} ({span.path.name})" if len(self._rows) > 1 else self.name
        return Place(where, first=span.first)

    def spans(self, rows: int) -> list[Span]:
        """All rows, so many at a time; at least one span. A span never reaches over the end of a file."""
        cuts = [
            (path, first, min(rows, count - first))
            for path, count in self._rows.items()
            for first in range(0, count, rows)
        ] or [(next(iter(self._rows)), 0, 0)]
        return [Span(number, *cut) for number, cut in enumerate(cuts)]

    def read(self, spans: Sequence[Span], columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Some columns of rising spans, a frame a span. Raises InputError if a file is unsound."""
        for path, of_file in groupby(spans, key=lambda span: span.path):
            with _opened(path) as file:
                cursor = _Cursor(file, columns)
                for span in of_file:
                    yield cursor.take(span.first, span.rows)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A Parquet file; whatever its library says of it is said as an InputError."""
    try:
        with pq.ParquetFile(path, memory_map=False, pre_buffer=False, buffer_size=1 << 20) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        seen = one_line(error)
        raise InputError(
            f"{path}: not readable ({seen}); allowed: a sound Parquet file; restore or convert it"
        ) from error


class _Cursor:
    """Goes forward through a file; row groups that are not wanted are not read."""

    def __init__(self, file: Any, columns: Sequence[str]) -> None:
        self._file, self._columns = file, list(columns)
        self._begins = [0]
        for group in range(file.num_row_groups):
            self._begins.append(self._begins[-1] + file.metadata.row_group(group).num_rows)
        self._seek(0)

    def _seek(self, group: int) -> None:
        self._at = self._begins[group]
        self._waiting: Any = None
        groups = list(range(group, self._file.num_row_groups))
        self._batches = self._file.iter_batches(_BATCH_ROWS, groups, self._columns, use_threads=False)

    def take(self, first: int, rows: int) -> pl.DataFrame:
        """Rows from `first` on, which lies behind what was taken before."""
        group = max(number for number, begin in enumerate(self._begins) if begin <= first)
        if self._begins[group] > self._at and group < self._file.num_row_groups:
            self._seek(group)
        pieces = list(self._pieces(first, first + rows))
        if not pieces:
            # Not `empty_table`, which loads pandas where that is installed.
            return pl.DataFrame(pa.Table.from_batches([], self._file.schema_arrow).select(self._columns))
        frame = pl.DataFrame(pa.Table.from_batches(pieces))
        return frame.select(self._columns)

    def _pieces(self, first: int, end: int) -> Iterator[Any]:
        while self._at < end:
            batch = self._waiting if self._waiting is not None else next(self._batches)
            skip, stop = max(first - self._at, 0), min(end - self._at, batch.num_rows)
            self._waiting = batch.slice(stop) if stop < batch.num_rows else None
            self._at += stop
            if skip < stop:
                yield batch.slice(skip, stop - skip)
