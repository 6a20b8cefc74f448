"""One record of the log: a header that says what follows, and a payload of Arrow tables, both under a checksum.

    segment   magic "unisono-log", format version | record | record | ...
    record    header (64 bytes) | payload (msgpack: one [topic, offsets, Arrow IPC stream] a topic)

Little-endian throughout. Format 1 is read and written by unisono 0.1.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.spec.errors import StateError

FORMAT = 1
SEGMENT_HEADER = struct.pack("<12sI", b"unisono-log", FORMAT)
MAX_PAYLOAD_BYTES = 1 << 30

_HEADER = struct.Struct("<4sIQIIQqqQI")  # then the checksum of all before it
_MAGIC = b"UREC"
HEADER_BYTES = _HEADER.size + 4

Offsets = NDArray[np.uint32]


class Moment(NamedTuple):
    """A place in the order of the log: events (rank 0) come before requests (rank 1) of the same microsecond."""

    time: int
    rank: int


BEGINNING = Moment(-(1 << 63), 0)
EVENT, REQUEST = 0, 1


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one topic in a block.

    topic:   whose rows these are.
    frame:   the rows, in log order.
    offsets: uint32, one a row: its place among all rows of the block, rising.
    """

    topic: str
    frame: pl.DataFrame
    offsets: Offsets


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of the log that lie next to each other.

    position: how many rows of the log come before.
    rows:     how many rows it has, over all parts.
    parts:    one a topic.
    """

    position: int
    rows: int
    parts: tuple[Part, ...]

    @property
    def end(self) -> int:
        """The position after its last row."""
        return self.position + self.rows

    def after(self, position: int) -> Block:
        """What of it comes at or after a position."""
        skip = position - self.position
        return self if skip <= 0 else self.between(skip, self.rows)

    def before(self, position: int) -> Block:
        """What of it comes before a position."""
        return self if position >= self.end else self.between(0, position - self.position)

    def between(self, start: int, stop: int) -> Block:
        """Its rows with start <= offset < stop."""
        parts = []
        for part in self.parts:
            first, last = np.searchsorted(part.offsets, (start, stop))
            if first < last:
                offsets = part.offsets[first:last] - np.uint32(start)
                parts.append(Part(part.topic, part.frame.slice(int(first), int(last - first)), offsets))
        return Block(self.position + start, stop - start, tuple(parts))


class Header(NamedTuple):
    """What a record says of itself before its payload."""

    position: int
    rows: int
    payload_bytes: int
    first: Moment
    last: Moment
    payload_checksum: int

    @property
    def record_bytes(self) -> int:
        """Header and payload."""
        return HEADER_BYTES + self.payload_bytes

    @property
    def end(self) -> int:
        """The position after its last row."""
        return self.position + self.rows


class _PartWire(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    topic: str
    offsets: bytes
    table: bytes


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[_PartWire])


def encode(position: int, parts: Sequence[Part], first: Moment, last: Moment) -> tuple[bytes, bytes]:
    """A record of these parts: header and payload."""
    payload = _ENCODER.encode([_PartWire(part.topic, part.offsets.tobytes(), _table(part.frame)) for part in parts])
    rows = sum(part.frame.height for part in parts)
    ranks = first.rank | last.rank << 1
    fields = _HEADER.pack(
        _MAGIC, FORMAT, position, rows, ranks, len(payload), first.time, last.time, 0, zlib.crc32(payload)
    )
    return fields + struct.pack("<I", zlib.crc32(fields)), payload


def _table(frame: pl.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.write_ipc_stream(sink)
    return sink.getvalue()


def decode_header(data: bytes) -> Header | None:
    """The header in these bytes; None if they are none, or not whole."""
    if len(data) < HEADER_BYTES:
        return None
    magic, version, position, rows, ranks, size, first, last, _, payload = _HEADER.unpack_from(data)
    (checksum,) = struct.unpack_from("<I", data, _HEADER.size)
    if magic != _MAGIC or version != FORMAT or checksum != zlib.crc32(data[: _HEADER.size]) or size > MAX_PAYLOAD_BYTES:
        return None
    return Header(position, rows, size, Moment(first, ranks & 1), Moment(last, ranks >> 1), payload)


def is_intact(header: Header, payload: bytes) -> bool:
    """Whether a payload is the one its header was written with."""
    return len(payload) == header.payload_bytes and zlib.crc32(payload) == header.payload_checksum


def decode(header: Header, payload: bytes, *, place: str) -> Block:
    """The block in a payload that is intact. Raises StateError if it is not what this format writes."""
    with _readable(place):
        parts = tuple(
            Part(wire.topic, pl.read_ipc_stream(io.BytesIO(wire.table)), np.frombuffer(wire.offsets, np.uint32))
            for wire in _DECODER.decode(payload)
        )
        if any(part.frame.height != len(part.offsets) for part in parts):
            raise ValueError("parts of unequal length")
    return Block(header.position, header.rows, parts)


@contextmanager
def _readable(place: str) -> Iterator[None]:
    try:
        yield
    except (msgspec.DecodeError, pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise StateError(f"{place}: a record with a sound checksum cannot be read: {error}") from error
