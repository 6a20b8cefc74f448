"""The files of a log: segments, and the mark that says how far they are to be believed.

    DIR/00000000000000000000.segment    records; the number is the position of its first row
    DIR/00000000000000917504.segment
    DIR/end                             the mark: what lies before it was written whole (and, if durable, is on disk)
    DIR/lock                            held by the one writer

What is broken before the mark was broken later, and is an error. What is broken after it was never finished, and is
dropped by the next writer. Readers never look behind the mark, so they never meet half a record.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from unisono.connect.records import BEGINNING, SEGMENT_HEADER, Moment
from unisono.spec.errors import StateError, StoreError

_MARK = struct.Struct("<8sQQQqII")  # then the checksum of all before it
_MARK_MAGIC = b"uni-mark"
MARK_BYTES = _MARK.size + 4


class Mark(NamedTuple):
    """The end of what a log holds.

    segment:  the position that names the last segment.
    bytes:    how many bytes of that segment count.
    position: rows of the log.
    last:     the moment of the last row.
    """

    segment: int
    bytes: int
    position: int
    last: Moment


EMPTY = Mark(0, len(SEGMENT_HEADER), 0, BEGINNING)


def segment_path(directory: Path, position: int) -> Path:
    """The file of the segment whose first row has this position."""
    return directory / f"{position:020}.segment"


def segment_positions(directory: Path) -> list[int]:
    """The segments that are there, first to last."""
    return sorted(int(path.stem) for path in directory.glob("*.segment") if path.stem.isdigit())


def encode_mark(mark: Mark) -> bytes:
    """The mark as the file `end` holds it."""
    fields = _MARK.pack(_MARK_MAGIC, mark.segment, mark.bytes, mark.position, mark.last.time, mark.last.rank, 0)
    return fields + struct.pack("<I", zlib.crc32(fields))


def read_mark(directory: Path) -> Mark | None:
    """The mark; None if there is none yet. Raises StateError if it is broken."""
    path = directory / "end"
    for _ in range(100):  # a reader may meet a writer in the middle of its 52 bytes
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        if not data:  # a writer has just made it
            return None
        if len(data) == MARK_BYTES and zlib.crc32(data[: _MARK.size]) == struct.unpack_from("<I", data, _MARK.size)[0]:
            magic, segment, size, position, time, rank, _ = _MARK.unpack_from(data)
            if magic == _MARK_MAGIC:
                return Mark(segment, size, position, Moment(time, rank))
    raise StateError(
        f"log {directory}: the file `end` is broken ({len(data)} bytes; allowed: {MARK_BYTES} with a sound checksum); "
        "restore it from a copy, or delete it to believe every whole record of the segments"
    )


def lock(directory: Path) -> int:
    """A descriptor that holds the writer's lock. Raises StoreError if another writer has it."""
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise StoreError(
            f"{directory} is open for writing in process {holder}; allowed: one writer; stop it, or wait for it"
        ) from error
    with suppress(OSError):  # who holds it is said if it can be: a full disk must not keep the log from being opened
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


@contextmanager
def room(directory: Path) -> Iterator[None]:
    """Turns what the system says when it cannot write into a StoreError."""
    try:
        yield
    except OSError as error:
        reason = "no space is left" if error.errno in _FULL else f"the system refused to write ({error.strerror})"
        raise StoreError(
            f"{directory}: {reason}; nothing was changed; make room for it (`df -h {directory}`) and run again"
        ) from error


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_all(descriptor: int, pieces: Iterable[bytes], at: int) -> int:
    """Write pieces one after the other from an offset on; returns the offset behind them."""
    for piece in pieces:
        view = memoryview(piece)
        while view:
            written = os.pwrite(descriptor, view, at)
            view, at = view[written:], at + written
    return at


def sync_directory(directory: Path) -> None:
    """Make names that were made or removed in a directory last."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
