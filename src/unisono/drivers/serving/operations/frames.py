"""Blocks of answered rows as a frame: request columns in their one form, and what was known and answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, groupby
from typing import Any

import msgspec
import numpy as np
import polars as pl

from unisono.drivers.serving.operations.blocks import NUMBERS, Block, unpacked
from unisono.features.canonical import decimals
from unisono.kernel.codec import NULL_INT
from unisono.models.tensors import ELEMENTS
from unisono.spec.types import Decimal, DType, Tensor, parse_dtype
from unisono.store.predictions import SERVED_AT, SERVED_ID, SERVED_SHADOW, prediction_rows

_DECODER = msgspec.msgpack.Decoder(Block)

_PLAIN = {"String": pl.String, "Int64": pl.Int64, "Float64": pl.Float64, "Bool": pl.Boolean}


def frames_of(packed: Sequence[bytes]) -> list[pl.DataFrame]:
    """Blocks of one predictor as frames, in order: one, unless its columns or outputs have changed in between.

    packed: the blocks, in msgpack.
    """
    alike: dict[object, list[Block]] = {}
    for block in map(_DECODER.decode, packed):
        outputs = tuple((name, column.dtype, column.shape) for name, column in block.outputs.items())
        alike.setdefault((bytes(block.columns), outputs), []).append(block)
    return [_frame(blocks) for blocks in alike.values()]


def _frame(blocks: Sequence[Block]) -> pl.DataFrame:
    """Blocks with the same columns and outputs as one frame."""
    counts = [len(block.rows) for block in blocks]
    features = np.frombuffer(b"".join([block.features for block in blocks]), "<f8")
    columns = {name: parse_dtype(dtype) for name, dtype in msgspec.msgpack.decode(blocks[0].columns).items()}
    rows = prediction_rows(
        pl.concat([_requests(columns, list(alike)) for _, alike in groupby(blocks, lambda block: not block.numbers)]),
        positions=np.frombuffer(b"".join([block.positions for block in blocks]), "<i8"),
        version=_spread([block.version for block in blocks], counts),
        features=features.reshape(sum(counts), -1),
        predictions={
            name: np.concatenate([unpacked(block.outputs[name]) for block in blocks]) for name in blocks[0].outputs
        },
    )
    ids = [block.ids or [""] * count for block, count in zip(blocks, counts, strict=True)]
    return rows.with_columns(
        _instants(SERVED_AT, _spread([block.at for block in blocks], counts)),
        pl.Series(SERVED_ID, list(chain.from_iterable(ids)), pl.String),
        pl.Series(SERVED_SHADOW, _spread([block.shadow for block in blocks], counts), pl.Boolean),
    )


def _requests(columns: Mapping[str, DType], blocks: Sequence[Block]) -> pl.DataFrame:
    """The requests of blocks that all have numbers, or all none."""
    rows = list(chain.from_iterable(block.rows for block in blocks))
    return request_frame(columns, rows, b"".join([block.numbers for block in blocks]))


def _spread(values: Sequence[Any], counts: Sequence[int]) -> list[Any]:
    """A value a block as a value a row."""
    return [value for value, count in zip(values, counts, strict=True) for _ in range(count)]


def request_frame(columns: Mapping[str, DType], rows: Sequence[Sequence[Any]], numbers: bytes = b"") -> pl.DataFrame:
    """Requests as blocks have them, as columns in their one form.

    columns:       in the order of the rows' values.
    numbers, rows: see `Block`.
    """
    apart = [name for name, dtype in columns.items() if dtype.name == NUMBERS] if numbers else []
    matrix = np.frombuffer(numbers, "<f8").reshape(-1, len(apart)) if apart else np.empty((0, 0))
    found = {name: pl.Series(name, column) for name, column in zip(apart, np.ascontiguousarray(matrix.T), strict=True)}
    others = ((name, dtype) for name, dtype in columns.items() if name not in found)
    for (name, dtype), column in zip(others, zip(*rows, strict=True), strict=True):
        found[name] = _MAKERS.get(dtype.name, _plain)(name, dtype, column)
    return pl.DataFrame([found[name] for name in columns])


def _plain(name: str, dtype: DType, values: Sequence[Any]) -> pl.Series:
    return pl.Series(name, values, _PLAIN[dtype.name])


def _digits(name: str, dtype: DType, values: Sequence[Any]) -> pl.Series:
    assert isinstance(dtype, Decimal)
    return decimals(name, np.array([NULL_INT if value is None else value for value in values], np.int64), dtype.places)


def _tensors(name: str, dtype: DType, values: Sequence[Any]) -> pl.Series:
    assert isinstance(dtype, Tensor)
    numbers = np.frombuffer(b"".join(values), ELEMENTS[dtype.element])
    return pl.Series(name, numbers.reshape(len(values), *dtype.shape))


def _instants(name: str, values: Sequence[Any]) -> pl.Series:
    return pl.Series(name, values, pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


_MAKERS: Mapping[str, Callable[[str, DType, Sequence[Any]], pl.Series]] = {
    "Decimal": _digits,
    "Tensor": _tensors,
    "Timestamp": lambda name, _, values: _instants(name, values),
}
