"""Frames as the Open Inference Protocol's binary tensors, and its answers as frames: no number becomes text."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl

from unisono.client.errors import FailedError
from unisono.client.transport import Reply
from unisono.spec.errors import InputError
from unisono.spec.wording import one_line

JSON_LENGTH = "inference-header-content-length"
VERSION, POSITION = "served.version", "served.position"
"""Columns of an answer beside the outputs: who answered, and what was known."""

_KINDS: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    **{f"UINT{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)},
    **{f"INT{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)},
    **{f"FP{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
}
_OF_NUMPY = {kind: name for name, kind in _KINDS.items()}
_LENGTH = struct.Struct("<I")


class _Parameters(msgspec.Struct, frozen=True):
    binary_data_size: int


class _Output(msgspec.Struct, frozen=True):
    name: str
    datatype: str
    shape: list[int]
    parameters: _Parameters


class _Known(msgspec.Struct, frozen=True):
    position: int


class _Answer(msgspec.Struct, frozen=True):
    model_version: str
    parameters: _Known
    outputs: list[_Output]


_ANSWER = msgspec.json.Decoder(_Answer)


class _Input(NamedTuple):
    """One input: the kind and the shape of its values, and their bytes."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    raw: bytes


def beside(table: pl.DataFrame, answers: Sequence[pl.DataFrame], what: str) -> pl.DataFrame:
    """A table with its answers beside it. Raises InputError if there are none, or a name comes twice."""
    if not answers:
        raise InputError(f"{what}: a frame without rows; allowed: at least one; send none of it")
    found = pl.concat(answers)
    for name in found.columns:
        if name in table.columns:
            raise InputError(f'{what}, column "{name}": an output has this name, too; allowed: another; rename it')
    return table.hstack(found)


# Out ------------------------------------------------------------------------------------------------------------------


def encode(frame: pl.DataFrame, what: str) -> tuple[bytes, Mapping[str, str]]:
    """A body with the columns of a frame, and the headers that say what it is. Raises InputError.

    Decimals go as text, and keep their digits; nulls as an input of their own, `COLUMN.null`.
    """
    inputs = [one for column in frame for one in _inputs(column, what)]
    said = {
        "inputs": [
            {
                "name": one.name,
                "datatype": one.datatype,
                "shape": one.shape,
                "parameters": {"binary_data_size": len(one.raw)},
            }
            for one in inputs
        ],
        "parameters": {"binary_data_output": True},
    }
    text = msgspec.json.encode(said)
    headers = {"content-type": "application/octet-stream", JSON_LENGTH: str(len(text))}
    return b"".join([text, *(one.raw for one in inputs)]), headers


def _inputs(column: pl.Series, what: str) -> Iterator[_Input]:
    yield _input(column, what)
    if column.null_count():
        mask = column.is_null().to_numpy()
        yield _Input(f"{column.name}.null", "BOOL", mask.shape, mask.tobytes())


def _input(column: pl.Series, what: str) -> _Input:
    dtype = column.dtype
    if isinstance(dtype, pl.Datetime):
        return _numbers(column.name, column.dt.cast_time_unit("us").to_physical().fill_null(0).to_numpy())
    if isinstance(dtype, pl.List | pl.Array):
        return _numbers(column.name, _tensor(column, what))
    if isinstance(dtype, pl.String | pl.Decimal | pl.Categorical | pl.Enum):
        return _texts(column.name, column.cast(pl.String).fill_null("0" if dtype.is_decimal() else "").to_list())
    if dtype.is_numeric() or isinstance(dtype, pl.Boolean):
        return _numbers(column.name, column.fill_null(strategy="zero").to_numpy())
    allowed = "numbers, text, booleans, instants, decimals, and lists of numbers"
    raise InputError(f'{what}, column "{column.name}": a column of {dtype}; allowed: {allowed}; convert or drop it')


def _numbers(name: str, values: np.ndarray[Any, Any]) -> _Input:
    return _Input(name, _OF_NUMPY[values.dtype], values.shape, np.ascontiguousarray(values).tobytes())


def _tensor(column: pl.Series, what: str) -> np.ndarray[Any, Any]:
    """Lists, or lists of lists, of one shape."""
    flat = column
    while isinstance(flat.dtype, pl.List | pl.Array):
        flat = flat.explode()
    kind = flat.clear().to_numpy().dtype
    try:
        if flat.null_count() or kind not in _OF_NUMPY:
            raise ValueError
        return np.array(column.to_list(), kind)
    except ValueError:  # also for lists of unequal length
        seen = f'{what}, column "{column.name}": {column.dtype} with nulls, or of no numbers, or of unequal length'
        raise InputError(f"{seen}; allowed: lists of numbers, all of one shape; correct the column") from None


def _texts(name: str, values: list[str]) -> _Input:
    parts = [part for value in values for part in _lengthy(value.encode())]
    return _Input(name, "BYTES", (len(values),), b"".join(parts))


def _lengthy(text: bytes) -> tuple[bytes, bytes]:
    return _LENGTH.pack(len(text)), text


# In -------------------------------------------------------------------------------------------------------------------


def decode(reply: Reply, rows: int, what: str) -> pl.DataFrame:
    """The outputs of an answer, one row a row, and who answered. Raises FailedError for what is none."""
    try:
        found, behind = _parted(reply)
        columns = [_column(one, behind, rows) for one in found.outputs]
        if len(behind):
            raise ValueError(f"{len(behind)} bytes behind the last output")
    except (ValueError, struct.error, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FailedError(
            f"{what}: not an answer of unisono's server ({one_line(error)}); allowed: the Open Inference Protocol in "
            "binary form; check the address, and what is between"
        ) from error
    who = [pl.lit(found.model_version).alias(VERSION), pl.lit(found.parameters.position, pl.Int64).alias(POSITION)]
    return pl.DataFrame(columns).with_columns(who)


class _Rest:
    """What of a body is not read yet."""

    def __init__(self, body: bytes) -> None:
        self._view = memoryview(body)

    def __len__(self) -> int:
        return len(self._view)

    def take(self, size: int) -> memoryview:
        if not 0 <= size <= len(self._view):
            raise ValueError(f"{size} bytes wanted, {len(self._view)} left")
        taken, self._view = self._view[:size], self._view[size:]
        return taken


def _parted(reply: Reply) -> tuple[_Answer, _Rest]:
    rest = _Rest(reply.body)
    return _ANSWER.decode(rest.take(int(reply.headers.get(JSON_LENGTH, "-1")))), rest


def _column(output: _Output, rest: _Rest, rows: int) -> pl.Series:
    raw = rest.take(output.parameters.binary_data_size)
    if output.shape[:1] != [rows]:
        raise ValueError(f"output {output.name} of shape {output.shape[:8]} for {rows} rows")
    if output.datatype == "BYTES":
        texts = np.array(_text_values(raw), object).reshape(output.shape)
        return pl.Series(output.name, texts.tolist(), strict=True)
    kind = _KINDS.get(output.datatype)
    if kind is None:
        raise ValueError(f"datatype {output.datatype}")
    values = np.frombuffer(raw, kind).reshape(output.shape)
    return pl.Series(output.name, values)


def _text_values(raw: memoryview) -> list[str]:
    rest, texts = _Rest(bytes(raw)), []
    while len(rest):
        (size,) = _LENGTH.unpack(rest.take(_LENGTH.size))
        texts.append(str(rest.take(size), "utf-8"))
    return texts
