"""Frames in: anything with Arrow's PyCapsule interface, as events of a source or as requests.

A table gives its columns as arrays when they are asked for, checked against the schema; what nobody asks for costs
nothing. Events may also lie outside memory: then each column is read when it is asked for, and none is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Protocol, runtime_checkable

import numpy as np
import polars as pl

from unisono.features import numbers
from unisono.features.numbers import Bits, Ints
from unisono.features.places import Place
from unisono.kernel import hash_strings
from unisono.spec.source import Source
from unisono.spec.types import DType, Float64
from unisono.spec.wording import quoted

_HASHED_ROWS = 1 << 18


class _Stream:
    """Only the Arrow stream of a frame, so that Polars does not look for a way of its own into pandas and others."""

    def __init__(self, frame: object) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)  # type: ignore[attr-defined]


def to_polars(frame: object, place: Place) -> pl.DataFrame:
    """A frame of any library as a Polars frame, without a copy where that can be.

    frame: Polars, pandas, pyarrow, DuckDB, or whatever else has `__arrow_c_stream__`.

    Raises InputError.
    """
    if isinstance(frame, pl.DataFrame):
        return frame
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if hasattr(frame, "__arrow_c_stream__"):
        return pl.DataFrame(_Stream(frame))
    allowed = "a frame with Arrow's PyCapsule interface: Polars, pandas, pyarrow, DuckDB, ..."
    raise place.error(quoted(frame), allowed, "convert it, e.g. polars.DataFrame(...)")


@runtime_checkable
class StoredTable(Protocol):
    """A table outside memory that does not change while it is read.

    columns: the names of its columns.
    """

    columns: Sequence[str]

    def read(self, columns: Sequence[str]) -> pl.DataFrame:
        """Some of its columns, every row, in the same order each time."""
        ...


class EventTable:
    """Events of one source in log order: by ingest time, then as they came.

    frame:  as `to_polars` takes it, or a StoredTable.
    source: whose events these are.

    Raises InputError for a missing column, event time or ingest time.
    """

    __slots__ = ("_derived", "_given", "_order", "ingest", "place", "source", "time")

    def __init__(self, frame: object, source: Source) -> None:
        self.place = Place(f"events of source {source.name}")
        self.source = source
        self._given = frame if isinstance(frame, StoredTable) else to_polars(frame, self.place)
        self._order: pl.Series | None = None
        self._derived: dict[str, pl.Series] = {}
        self.time: Ints = self._instants(source.event_time)
        self.ingest: Ints = self.time if source.ingest_time is None else self._instants(source.ingest_time)
        if not is_rising(self.ingest):
            self._sort()

    def _instants(self, column: str) -> Ints:
        series = self.series(column)
        numbers.refuse_nulls(series, self.place.of(column), step="drop such events, or give them a time")
        return numbers.times(series, self.place.of(column), self.source.timezone)

    def _sort(self) -> None:
        order = np.argsort(self.ingest, kind="stable")
        same = self.ingest is self.time
        self._order = pl.Series(order)
        if isinstance(self._given, pl.DataFrame):  # put in order once; what is stored, each time it is read
            self._given, self._order = self._given[self._order], None
        self.time = self.time[order]
        self.ingest = self.time if same else self.ingest[order]

    def __len__(self) -> int:
        return len(self.time)

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns that were given."""
        return self._given.columns

    def frame(self, columns: Iterable[str] | None = None) -> pl.DataFrame:
        """The rows in log order, as they were given.

        columns: which of them; None: all. Raises InputError for one that is not there.
        """
        wanted = list(self.columns if columns is None else dict.fromkeys(columns))
        missing = [name for name in wanted if name not in self.columns]
        if missing:
            raise self.place.missing(missing[0], self.columns)
        if isinstance(self._given, pl.DataFrame):
            return self._given.select(wanted)
        read = self._given.read(wanted)
        return read if self._order is None else read[self._order]

    def with_derived(self, columns: Iterable[pl.Series]) -> EventTable:
        """The same events, with columns that transforms made of them."""
        table = copy(self)
        table._derived = {**self._derived, **{column.name: column for column in columns}}
        return table

    def series(self, column: str) -> pl.Series:
        """A column in log order, as it was given or derived."""
        if column in self._derived:
            return self._derived[column]
        return self.frame([column]).to_series()

    def values(self, column: str, dtype: DType) -> numbers.Numbers:
        """A column as the kernel folds it: float64 for Float64, else int64 (see `numbers.fixed`)."""
        place = self.place.of(column)
        if dtype == Float64:
            return numbers.floats(self.series(column), place)
        return numbers.fixed(self.series(column), dtype, place, self.source.timezone)

    def ids(self) -> Ints | None:
        """The ids as int64, strings by their hash; None if the source has none."""
        column = self.source.id
        if column is None:
            return None
        series, place = self.series(column), self.place.of(column)
        numbers.refuse_nulls(series, place, step="give every event an id, or take id= from the source")
        if self.source.columns[column].name == "Int64":
            return numbers.whole(series, place)
        return _hashed(numbers.strings(series, place))

    def retractions(self) -> Bits | None:
        """1 for a retraction, 0 for an event; None if the source has none."""
        column = self.source.retraction
        if column is None:
            return None
        series, place = self.series(column), self.place.of(column)
        numbers.refuse_nulls(series, place, step="say false for an event")
        flags: Bits = numbers.booleans(series, place).cast(pl.UInt8).rechunk().to_numpy()
        return flags

    def keys(self, columns: Iterable[str]) -> pl.DataFrame:
        """Key columns in their one form (see `key_series`), a value in every row."""
        dtypes, zone = self.source.columns, self.source.timezone
        wanted = {name: dtypes[name] for name in columns}
        return key_frame(self.frame(wanted), wanted, self.place, zone)


class RequestTable:
    """Requests as they came, with their times.

    frame: as `to_polars` takes it.
    time:  the column with the request's own time.
    """

    __slots__ = ("frame", "place", "time")

    def __init__(self, frame: object, time: str, *, place: str = "requests") -> None:
        self.place = Place(place)
        self.frame = to_polars(frame, self.place)
        if time not in self.frame.columns:
            raise self.place.missing(time, self.frame.columns)
        series = self.frame.get_column(time)
        numbers.refuse_nulls(series, self.place.of(time), step="say when each request is asked")
        self.time: Ints = numbers.times(series, self.place.of(time), None)

    def __len__(self) -> int:
        return len(self.time)

    def keys(self, columns: Mapping[str, DType]) -> pl.DataFrame:
        """Key columns in their one form, a value in every row."""
        return key_frame(self.frame, columns, self.place, None)


def key_frame(frame: pl.DataFrame, columns: Mapping[str, DType], place: Place, timezone: str | None) -> pl.DataFrame:
    """Key columns in the one form in which equal keys are equal. Raises InputError for a row without a key."""
    series = []
    for name, dtype in columns.items():
        if name not in frame.columns:
            raise place.missing(name, frame.columns)
        column = frame.get_column(name)
        numbers.refuse_nulls(column, place.of(name), step='a key is needed: drop such rows, or fill them, e.g. ""')
        series.append(key_series(column, dtype, place.of(name), timezone))
    return pl.DataFrame(series)


def key_series(column: pl.Series, dtype: DType, place: Place, timezone: str | None) -> pl.Series:
    """A key column as text, or as the whole numbers of `numbers.fixed`."""
    if dtype.name == "String":
        return numbers.strings(column, place)
    if dtype.name == "Int64" and column.dtype == pl.Int64:
        return column
    return pl.Series(column.name, numbers.fixed(column, dtype, place, timezone))


def is_rising(times: Ints) -> bool:
    """Whether times never fall."""
    step = 1 << 18  # what is compared stays in the cache
    return all(
        bool((times[start + 1 : start + step + 1] >= times[start : start + step][: len(times) - start - 1]).all())
        for start in range(0, len(times), step)
    )


def _hashed(column: pl.Series) -> Ints:
    hashes = np.empty(len(column), np.int64)
    for start in range(0, len(column), _HASHED_ROWS):
        piece = column.slice(start, _HASHED_ROWS)
        array = piece.to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offsets, data = array.buffers()
        bounds = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
        text = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
        hashes[start : start + len(piece)] = hash_strings(bounds, text)
    return hashes
