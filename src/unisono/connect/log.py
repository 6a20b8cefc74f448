"""The embedded log: durable, append-only, one for a project, every topic in one order.

Rows are in the order (time, rank, as appended): time is an event's ingest time or a request's own, and events come
before requests of the same microsecond. A row's *position* is the number of rows before it. One process writes, any
number read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.connect import records, segments
from unisono.connect.records import HEADER_BYTES, SEGMENT_HEADER, Block, Header, Moment, Part
from unisono.connect.segments import EMPTY, Mark
from unisono.spec.errors import InputError, StateError, StoreError

SEGMENT_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one topic on their way into the log.

    topic: a source's name, or a predictor's requests.
    frame: the rows.
    times: int64 microseconds, one a row, never falling: an event's ingest time, a request's own time.
    rank:  records.EVENT or records.REQUEST.
    """

    topic: str
    frame: pl.DataFrame
    times: NDArray[np.int64]
    rank: int = records.EVENT


class Log:
    """A log that is read. Reading takes no lock and never disturbs the writer.

    directory: of the log. Raises StoreError if there is no log.
    """

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        if not self.directory.is_dir() or segments.read_mark(self.directory) is None:
            raise StoreError(f"{self.directory}: there is no log; write to it first")

    @property
    def end(self) -> Mark:
        """How far the log goes now."""
        return _mark(self.directory)

    def read(self, position: int = 0, *, until: int | None = None) -> Iterator[Block]:
        """The blocks from a position on, up to the end that the log has when reading begins.

        position, until: in rows. Memory: one record at a time.
        Raises StateError that names segment and offset where the log is broken.
        """
        end = self.end
        stop = end.position if until is None else min(until, end.position)
        if position > end.position:
            raise StateError(
                f"log {self.directory}: position {position} was asked for, but the log ends at {end.position}; "
                "it was cut or replaced; restore it, or start over from an empty state"
            )
        for header, payload, place in _records(self.directory, position, stop, end):
            block = records.decode(header, payload, place=place)
            yield block.after(position).before(stop)


class LogWriter:
    """The one writer of a log; makes it if there is none, and drops an unfinished record at its end.

    directory:     of the log.
    durable:       whether each append is on disk before it returns; without, it survives a killed process only.
    segment_bytes: how large a file grows before the next is begun.

    Raises StoreError if another writer has it or the disk is full, StateError if it is broken.
    """

    def __init__(self, directory: Path | str, *, durable: bool = True, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.directory = Path(directory)
        self.durable = durable
        self._segment_bytes = segment_bytes
        with segments.room(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = segments.lock(self.directory)
        self._file = self._marker = -1
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        with segments.room(self.directory):
            self._marker = os.open(self.directory / "end", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        new = os.fstat(self._marker).st_size == 0
        believed = EMPTY if new else _mark(self.directory)
        self._end = _recover(self.directory, believed)
        self._use_segment(self._end)
        self._set_mark(self._end)

    @property
    def end(self) -> Mark:
        """How far the log goes."""
        return self._end

    def append(self, batches: Sequence[Batch]) -> int:
        """Put rows at the end, all or none; returns the position after them.

        batches: merged by (time, rank, batch, row). Raises InputError if a row belongs before the end of the log,
        StoreError if there is no space; the log is then as it was.
        """
        batches = [batch for batch in batches if len(batch.times)]
        if not batches:
            return self._end.position
        parts, first, last = _interleave(batches)
        if first < self._end.last:
            raise InputError(_too_early(self.directory, batches, self._end.last))
        start = self._roll()
        header, payload = records.encode(start.position, parts, first, last)
        if len(payload) > records.MAX_PAYLOAD_BYTES:
            allowed = f"allowed: {records.MAX_PAYLOAD_BYTES}; append fewer rows at a time"
            raise InputError(f"log {self.directory}: an append of {len(payload)} bytes; {allowed}")
        size = self._write(start, (header, payload))
        rows = sum(len(batch.times) for batch in batches)
        self._set_mark(Mark(start.segment, size, start.position + rows, last))
        return self._end.position

    def truncate(self, position: int) -> None:
        """Forget every row from a position on. It must lie between two appends; else StateError."""
        if position == self._end.position:
            return
        end = _mark_at(self.directory, position, self._end)
        self._set_mark(end)
        _cut(self.directory, end)
        self._use_segment(end)

    def close(self) -> None:
        """Let another writer in."""
        for descriptor in (self._file, self._marker, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._marker = self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _roll(self) -> Mark:
        """Where the next record goes: behind the last, or into a new segment."""
        if self._end.bytes < self._segment_bytes:
            return self._end
        start = self._end._replace(segment=self._end.position, bytes=len(SEGMENT_HEADER))
        self._use_segment(start)
        return start

    def _use_segment(self, mark: Mark) -> None:
        path = segments.segment_path(self.directory, mark.segment)
        with segments.room(self.directory):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                if os.fstat(descriptor).st_size < len(SEGMENT_HEADER):
                    segments.write_all(descriptor, (SEGMENT_HEADER,), 0)
                    if self.durable:
                        os.fsync(descriptor)
                        segments.sync_directory(self.directory)
            except BaseException:
                os.close(descriptor)
                raise
        if self._file >= 0:
            os.close(self._file)
        self._file = descriptor

    def _write(self, start: Mark, pieces: tuple[bytes, ...]) -> int:
        with segments.room(self.directory):
            try:
                size = segments.write_all(self._file, pieces, start.bytes)
                if self.durable:
                    os.fdatasync(self._file)
            except BaseException:
                os.ftruncate(self._file, start.bytes)
                raise
        return size

    def _set_mark(self, mark: Mark) -> None:
        with segments.room(self.directory):
            segments.write_all(self._marker, (segments.encode_mark(mark),), 0)
        self._end = mark


def _mark(directory: Path) -> Mark:
    mark = segments.read_mark(directory)
    if mark is None:
        raise StateError(f"log {directory}: the file `end` is gone; restore it from a copy")
    return mark


def _interleave(batches: Sequence[Batch]) -> tuple[list[Part], Moment, Moment]:
    times = np.concatenate([batch.times for batch in batches])
    ranks = np.repeat(np.array([batch.rank for batch in batches], np.uint8), [len(batch.times) for batch in batches])
    order = np.lexsort((ranks, times))
    places = np.empty(len(times), np.uint32)
    places[order] = np.arange(len(times), dtype=np.uint32)
    ends = np.cumsum([len(batch.times) for batch in batches])
    parts = []
    for batch, offsets in zip(batches, np.split(places, ends[:-1]), strict=True):
        falls = np.flatnonzero(np.diff(batch.times) < 0)
        if len(falls):
            row = int(falls[0]) + 1
            raise InputError(
                f"log: topic {batch.topic}, row {row}: time {batch.times[row]} is before that of the row above, "
                f"{batch.times[row - 1]}; allowed: never falling; sort by ingest time"
            )
        parts.append(Part(batch.topic, batch.frame, offsets))
    first, last = (Moment(int(times[row]), int(ranks[row])) for row in (order[0], order[-1]))
    return parts, first, last


def _too_early(directory: Path, batches: Sequence[Batch], last: Moment) -> str:
    batch = next(batch for batch in batches if Moment(int(batch.times[0]), batch.rank) < last)
    seen = np.datetime64(int(batch.times[0]), "us")
    allowed = np.datetime64(last.time, "us")
    after = " (after a request of that instant: later than that)" if last.rank > batch.rank else ""
    return (
        f"log {directory}: topic {batch.topic}, row 0: time {seen} lies before the end of the log; allowed: {allowed} "
        f"or later{after}; a log only grows at its end: give late rows the ingest time at which they really arrived"
    )


def _recover(directory: Path, believed: Mark) -> Mark:
    """The end of the log: the mark, and every whole record behind it; what follows is cut off."""
    end = believed
    positions = segments.segment_positions(directory)
    path = segments.segment_path(directory, believed.segment)
    size = path.stat().st_size if path.exists() else 0
    if size < believed.bytes and believed != EMPTY:
        raise StateError(
            f"log {directory}: segment {path.name} was cut: {size} of {believed.bytes} bytes are left; {_RESTORE}"
        )
    for segment in positions:
        if segment == believed.segment:
            end = _whole_records(directory, end, end)
        elif segment == end.position > believed.segment:
            end = _whole_records(directory, end, end._replace(segment=segment, bytes=len(SEGMENT_HEADER)))
    _cut(directory, end)
    return end


def _whole_records(directory: Path, end: Mark, start: Mark) -> Mark:
    """The end of the log once the whole records from `start` on are taken in."""
    for header, payload, offset in _scan(segments.segment_path(directory, start.segment), start.bytes):
        if payload is None or not records.is_intact(header, payload) or header.position != end.position:
            break
        end = Mark(start.segment, offset + header.record_bytes, header.end, header.last)
    return end


def _cut(directory: Path, end: Mark) -> None:
    for position in segments.segment_positions(directory):
        path = segments.segment_path(directory, position)
        if position > end.segment:
            path.unlink()
        elif position == end.segment and path.stat().st_size > end.bytes:
            os.truncate(path, end.bytes)


def _scan(path: Path, offset: int, *, payloads: bool = True) -> Iterator[tuple[Header, bytes | None, int]]:
    """Headers and payloads (None: not whole) with their offsets, up to the first thing that is no header."""
    with path.open("rb") as file:
        while True:
            file.seek(offset)
            header = records.decode_header(file.read(HEADER_BYTES))
            if header is None:
                return
            payload = file.read(header.payload_bytes) if payloads else None
            yield header, payload, offset
            offset += header.record_bytes


def _records(directory: Path, position: int, stop: int, end: Mark) -> Iterator[tuple[Header, bytes, str]]:
    """The records that hold rows with position <= row < stop, each checked."""
    names = [segment for segment in segments.segment_positions(directory) if segment <= end.segment]
    for index, segment in enumerate(names):
        next_segment = names[index + 1] if index + 1 < len(names) else end.position
        if next_segment <= position or segment >= stop:
            continue
        yield from _records_of(segments.segment_path(directory, segment), segment, position, min(stop, next_segment))


def _records_of(path: Path, at: int, position: int, stop: int) -> Iterator[tuple[Header, bytes, str]]:
    with path.open("rb") as file:
        if file.read(len(SEGMENT_HEADER)) != SEGMENT_HEADER:
            raise StateError(f"log segment {path}, offset 0: not a segment of format {records.FORMAT}; restore it")
        offset = len(SEGMENT_HEADER)
        while at < stop:
            place = f"log segment {path}, offset {offset}"
            file.seek(offset)
            header = records.decode_header(file.read(HEADER_BYTES))
            if header is None or header.position != at:
                raise StateError(f"{place}: position {at} begins here, but the record's header is broken; {_RESTORE}")
            if header.end > position:
                payload = file.read(header.payload_bytes)
                if not records.is_intact(header, payload):
                    raise StateError(f"{place}: the record of positions {at} to {header.end} is broken; {_RESTORE}")
                yield header, payload, place
            at, offset = header.end, offset + header.record_bytes


_RESTORE = "restore the segment from a copy"


def _mark_at(directory: Path, position: int, end: Mark) -> Mark:
    """The mark that the log had when it ended at a position."""
    if position == 0:
        return EMPTY
    names = [segment for segment in segments.segment_positions(directory) if segment < position]
    for header, _, offset in _scan(segments.segment_path(directory, names[-1]), len(SEGMENT_HEADER), payloads=False):
        if header.end == position <= end.position:
            return Mark(names[-1], offset + header.record_bytes, position, header.last)
    raise StateError(
        f"log {directory}: cannot be cut at position {position}: no append ended there (it ends at {end.position}); "
        "it is not the log that the state was written with"
    )
