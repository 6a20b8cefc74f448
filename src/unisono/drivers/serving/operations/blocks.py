"""Answered rows on their way from a worker to the writer: blocks of bytes, cheap to make.

Numbers are packed as their bytes, row by row: 0.5 us for 30, and the writer has a matrix at once. What else a row has
is packed as a tuple; the writer turns such rows into columns, where nobody waits.

A frame is its length and its count of rows (two uint32, little-endian), then the block in msgpack.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from unisono.drivers.online.reading import Known
from unisono.drivers.scores import Outputs

HEAD = struct.Struct("<II")
"""Of a frame: bytes of the block, rows in it."""
NUMBERS = "Float64"
"""Name of the dtype whose values are packed as bytes."""
ACK = struct.Struct("<QQ")
"""What the writer says to a worker: how many of its rows are in files, and how many could not be written."""


class Column(msgspec.Struct, array_like=True, frozen=True):
    """An output of some rows.

    dtype: numpy's name of its type; "" for text, which is a list.
    shape: of one row's value; empty for a single one.
    data:  all values, little-endian.
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes | list[str | None]


class Block(msgspec.Struct, array_like=True, frozen=True):
    """Rows that one version of a predictor answered.

    predictor: whose.
    columns:   of a request, in order: name -> dtype as it prints; packed once a predictor, hence Raw.
    version:   id of the version that answered.
    shadow:    whether nobody was given these answers.
    at:        microseconds since 1970, UTC: when they were packed, by the worker's clock.
    numbers:   float64, rows x Float64 columns; empty if there are none, or one of the values is null.
    rows:      what else the requests have, or all that they have; see `scores.Row`; a Tensor as its bytes.
    positions: int64 of each row: the place in the log that was known.
    features:  float64, rows x features, null by its payload.
    outputs:   name -> values.
    ids:       the callers' names for their requests, a row each; empty if nobody gave one.
    """

    predictor: str
    columns: msgspec.Raw
    version: str
    shadow: bool
    at: int
    numbers: bytes
    rows: list[Any]
    positions: bytes
    features: bytes
    outputs: dict[str, Column]
    ids: list[str]


_ENCODER = msgspec.msgpack.Encoder(enc_hook=lambda value: _plain(value))


def _plain(value: Any) -> object:
    """Values that msgpack does not know: a Tensor's array, and a number of numpy's."""
    return value.tobytes() if isinstance(value, np.ndarray) else value.item()


def frame_of(block: Block) -> bytearray:
    """A block, to be sent."""
    frame = bytearray(HEAD.size)
    _ENCODER.encode_into(block, frame, HEAD.size)
    HEAD.pack_into(frame, 0, len(frame) - HEAD.size, len(block.rows))
    return frame


def packed_positions(known: Sequence[Known]) -> bytes:
    """The position of each row."""
    counts = [len(one.times) for one in known]
    return np.repeat(np.array([one.position for one in known], "<i8"), counts).tobytes()


def packed_outputs(outputs: Sequence[Outputs]) -> dict[str, Column]:
    """The outputs of some batches, one after the other; all are of one version."""
    return {name: _packed([one[name] for one in outputs]) for name in outputs[0]}


def _packed(parts: Sequence[NDArray[Any]]) -> Column:
    first = parts[0]
    if first.dtype.kind in "fiub":
        return Column(first.dtype.newbyteorder("<").str, first.shape[1:], b"".join([one.tobytes() for one in parts]))
    return Column("", first.shape[1:], [value for one in parts for value in one.ravel().tolist()])


def unpacked(column: Column) -> NDArray[Any]:
    """The values of an output, a row each."""
    if isinstance(column.data, bytes):
        return np.frombuffer(column.data, column.dtype).reshape(-1, *column.shape)
    return np.array(column.data, object).reshape(-1, *column.shape)


def packed_columns(columns: Mapping[str, object]) -> msgspec.Raw:
    """The columns of a predictor's requests."""
    return msgspec.Raw(msgspec.msgpack.encode({name: str(dtype) for name, dtype in columns.items()}))
