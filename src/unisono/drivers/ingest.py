"""Files into the log: what the bound files hold and the log lacks, in the order of the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.connect.files import read_table
from unisono.connect.log import Batch, Log, LogWriter
from unisono.connect.records import EVENT, REQUEST, Part
from unisono.features.canonical import canonical
from unisono.features.frames import EventTable, RequestTable, is_rising
from unisono.features.places import Place
from unisono.spec.errors import StateError, StoreError
from unisono.spec.predictor import Predictor
from unisono.spec.progress import Progress, no_progress
from unisono.spec.source import Source
from unisono.spec.types import DType

BLOCK_ROWS = 1 << 16


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
    return Batch(source_topic(source.name), table.frame(), table.ingest, EVENT)


def request_batch(predictor: Predictor, frame: pl.DataFrame) -> Batch:
    """Requests on their way into the log, sorted by time."""
    times = RequestTable(frame, predictor.time).time
    if not is_rising(times):
        order = np.argsort(times, kind="stable")
        frame, times = frame[pl.Series(order)], times[order]
    return Batch(request_topic(predictor.name), frame, times, REQUEST)


def fill(writer: LogWriter, batches: Sequence[Batch], progress: Progress = no_progress) -> int:
    """Append what the batches hold and the log lacks; returns how many rows that were.

    What the log holds is compared row by row with the beginning of the batches: files may only have grown at their end.
    Raises StateError if they have not, InputError if the new rows lie before the end of the log.
    """
    rest = _rest(batches, _held(writer, batches, progress))
    missing = sum(len(batch.times) for batch in rest)
    done = 0
    for piece in _in_blocks(rest) if missing else ():
        writer.append(piece)
        done += sum(len(batch.times) for batch in piece)
        progress("filling the log", done, missing)
    return missing


def _held(writer: LogWriter, batches: Sequence[Batch], progress: Progress) -> Mapping[str, int]:
    """How many rows of each topic the log holds, each the same as in its batch."""
    frames = {batch.topic: batch.frame for batch in batches}
    held: dict[str, int] = {}
    for block in Log(writer.directory).read():
        for part in block.parts:
            begin = held.get(part.topic, 0)
            ours = frames.get(part.topic, part.frame.clear()).slice(begin, part.frame.height)
            if not ours.equals(part.frame):
                raise StateError(_changed(part, ours, begin))
            held[part.topic] = begin + part.frame.height
        progress("comparing files and log", block.end, writer.end.position)
    return held


def _changed(part: Part, ours: pl.DataFrame, begin: int) -> str:
    same = range(min(ours.height, part.frame.height)) if ours.schema == part.frame.schema else ()
    row = next((at for at in same if not ours[at].equals(part.frame[at])), ours.height)
    seen = "another row" if row < ours.height else "no such row"
    return (
        f"log: topic {part.topic}, row {begin + row} by time: its file has {seen}; allowed: files that only grow, with "
        "rows later than the log's end; restore the file, or delete the project's store to begin again"
    )


def _rest(batches: Sequence[Batch], held: Mapping[str, int]) -> list[Batch]:
    skips = [held.get(batch.topic, 0) for batch in batches]
    return [
        Batch(batch.topic, batch.frame.slice(skip), batch.times[skip:], batch.rank)
        for batch, skip in zip(batches, skips, strict=True)
    ]


class _Seen(msgspec.Struct, forbid_unknown_fields=True):
    """The files that were taken in last, as they then were, and where the log ended."""

    files: dict[str, tuple[int, int]]
    position: int


def look_of(paths: Iterable[Path]) -> dict[str, tuple[int, int]]:
    """Size and time of last change of each file that is there: equal for files that nobody touched."""
    stats = {str(path): path.stat() for path in paths if path.is_file()}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


def is_taken_in(record: Path, looks: Mapping[str, tuple[int, int]], log: Path) -> bool:
    """Whether the log was last filled from these very files, and nobody wrote to it since."""
    try:
        seen = msgspec.json.decode(record.read_bytes(), type=_Seen)
        return seen == _Seen(dict(looks), Log(log).end.position)
    except (FileNotFoundError, msgspec.DecodeError, StoreError):
        return False


def note_taken_in(record: Path, looks: Mapping[str, tuple[int, int]], position: int) -> None:
    """Write down what `is_taken_in` asks for. It only saves time, so a disk that is full does not matter."""
    with suppress(OSError):
        record.write_bytes(msgspec.json.encode(_Seen(dict(looks), position)))


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
