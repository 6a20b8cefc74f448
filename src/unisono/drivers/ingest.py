"""Files into the log: what the bound files hold and the log lacks, in the order of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.connect.files import read_table
from unisono.connect.log import Batch, Log, LogWriter
from unisono.connect.records import EVENT, REQUEST
from unisono.features.canonical import canonical
from unisono.features.frames import EventTable, RequestTable, is_rising
from unisono.features.places import Place
from unisono.spec.errors import StateError
from unisono.spec.predictor import Predictor
from unisono.spec.source import Source
from unisono.spec.types import DType

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how much of it is done, and of how much (None: not known)."""

BLOCK_ROWS = 1 << 16


def no_progress(what: str, done: int, total: int | None) -> None:
    """Says nothing."""


def source_topic(source: str) -> str:
    """The log's topic of a source's events."""
    return f"source:{source}"


def request_topic(predictor: str) -> str:
    """The log's topic of a predictor's requests."""
    return f"request:{predictor}"


def read_events(source: Source, path: Path) -> pl.DataFrame:
    """A source's events from a file: every column, checked, in its one form, as the file has them."""
    what = f"events of source {source.name}"
    frame = read_table(path, source.columns, what=what)
    return canonical(frame, source.columns, Place(what), source.timezone)


def request_columns(predictor: Predictor) -> Mapping[str, DType]:
    """The columns of a predictor's requests in tables: what is asked, and what the label is found by."""
    label = predictor.label
    on = {} if label is None else {label.on: label.source.columns[label.on]}
    return {**on, **predictor.columns}


def check_requests(predictor: Predictor, frame: pl.DataFrame, place: Place) -> pl.DataFrame:
    """Requests in their one form. The column that the label is found by may be missing; others are left out."""
    columns = {
        name: dtype
        for name, dtype in request_columns(predictor).items()
        if name in predictor.columns or name in frame.columns
    }
    return canonical(frame, columns, place, None)


def read_requests(predictor: Predictor, path: Path) -> pl.DataFrame:
    """A predictor's requests from a file, in their one form, as the file has them."""
    what = f"requests of predictor {predictor.name}"
    wanted = request_columns(predictor)
    also = [name for name in wanted if name not in predictor.columns]
    return check_requests(predictor, read_table(path, predictor.columns, also=also, what=what), Place(what))


def event_batch(source: Source, frame: pl.DataFrame) -> Batch:
    """Events on their way into the log, sorted by ingest time."""
    table = EventTable(frame, source)
    return Batch(source_topic(source.name), table.frame, table.ingest, EVENT)


def request_batch(predictor: Predictor, frame: pl.DataFrame) -> Batch:
    """Requests on their way into the log, sorted by time."""
    times = RequestTable(frame, predictor.time).time
    if not is_rising(times):
        order = np.argsort(times, kind="stable")
        frame, times = frame[pl.Series(order)], times[order]
    return Batch(request_topic(predictor.name), frame, times, REQUEST)


def fill(writer: LogWriter, batches: Sequence[Batch], progress: Progress = no_progress) -> int:
    """Append what the batches hold and the log lacks; returns how many rows that were.

    The log must hold the first rows of each batch and nothing else: it does if it was filled from the same files, which
    may have grown since. Raises StateError if it does not, InputError if the new rows lie before its end.
    """
    total = sum(len(batch.times) for batch in batches)
    if total == writer.end.position:
        return 0
    rest = list(_rest(batches, _rows_there(writer)))
    missing = sum(len(batch.times) for batch in rest)
    done = 0
    for piece in _in_blocks(rest):
        writer.append(piece)
        done += sum(len(batch.times) for batch in piece)
        progress("filling the log", done, missing)
    return missing


def _rows_there(writer: LogWriter) -> Mapping[str, int]:
    return Log(writer.directory).count_rows() if writer.end.position else {}


def _rest(batches: Sequence[Batch], there: Mapping[str, int]) -> Iterator[Batch]:
    by_topic = {batch.topic: batch for batch in batches}
    for topic, rows in there.items():
        held = len(by_topic[topic].times) if topic in by_topic else 0
        if held < rows:
            raise StateError(
                f"log: topic {topic} has {rows} rows, but its file has {held}; allowed: files that only grow; "
                "restore the file, or delete the project's store to begin again"
            )
    for batch in batches:
        skip = there.get(batch.topic, 0)
        yield Batch(batch.topic, batch.frame.slice(skip), batch.times[skip:], batch.rank)


def _in_blocks(batches: Sequence[Batch]) -> Iterator[list[Batch]]:
    """All rows in the order of the log, so many at a time."""
    times = np.concatenate([batch.times for batch in batches])
    ranks = np.repeat([batch.rank for batch in batches], [len(batch.times) for batch in batches])
    owners = np.repeat(np.arange(len(batches)), [len(batch.times) for batch in batches])
    owners = owners[np.lexsort((ranks, times))]
    begin = np.zeros(len(batches), np.int64)
    for start in range(0, len(owners), BLOCK_ROWS):
        taken = np.bincount(owners[start : start + BLOCK_ROWS], minlength=len(batches))
        yield [_slice(batch, int(at), int(rows)) for batch, at, rows in zip(batches, begin, taken, strict=True) if rows]
        begin += taken


def _slice(batch: Batch, start: int, rows: int) -> Batch:
    times: NDArray[np.int64] = batch.times[start : start + rows]
    return Batch(batch.topic, batch.frame.slice(start, rows), times, batch.rank)
