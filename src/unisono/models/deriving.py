"""Runs traced transforms over frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import polars as pl

from unisono.models.columns import Tensor, decode, encode, missing_column
from unisono.models.names import FEATURES, input_name, null_name
from unisono.models.session import Runner
from unisono.models.traced import TracedTransform
from unisono.spec.errors import DefinitionError
from unisono.spec.types import DType
from unisono.spec.wording import did_you_mean

_CHUNK = 1 << 15  # rows whose temporaries stay small


def derive(
    traced: Sequence[TracedTransform], frame: pl.DataFrame, place: str = "frame", *, timezone: str | None = None
) -> pl.DataFrame:
    """The columns that transforms make of a frame, one row a row.

    traced:   the transforms; each reads columns of the frame by name, whatever their namespace.
    frame:    columns of the dtypes that the transforms were traced with (Timestamp: Datetime with a zone).
    place:    what the frame is, for messages, e.g. "events of source arrivals".
    timezone: IANA zone of timestamps that carry none; None: such timestamps are refused.

    A derived value is null where any column it is made of is. A feature's NaN is a null, as inside the predictor's
    graph, whose bits these are. Raises InputError; DefinitionError if two transforms make one column.
    """
    made: dict[str, pl.Series] = {}
    for transform in traced:
        feeds = _feeds(transform, frame, place, timezone)
        for column in _run(transform, feeds, frame.height):
            if column.name in made:
                raise DefinitionError(
                    f'transform {transform.name}: makes "{column.name}", which another transform makes too; '
                    "allowed: each column once; rename one"
                )
            made[column.name] = column
    return pl.DataFrame(made)


def _feeds(transform: TracedTransform, frame: pl.DataFrame, place: str, timezone: str | None) -> Mapping[str, Tensor]:
    feeds: dict[str, Tensor] = {}
    for namespace, columns in transform.reads.items():
        for column, dtype in columns.items():
            if column not in frame.columns:
                step = did_you_mean(column, frame.columns, otherwise="add the column")
                raise missing_column(place, column, frame.columns, step)
            values, nulls = encode(frame.get_column(column), dtype, place=place, timezone=timezone)
            if namespace == FEATURES:
                values, nulls = feature_feed(values, nulls)
            name = input_name(namespace, column)
            feeds[name], feeds[null_name(name)] = values, nulls
    return feeds


def feature_feed(values: Tensor, nulls: Tensor) -> tuple[Tensor, Tensor]:
    """A feature column as the graph has it: NaN for null, and null where it is NaN."""
    known = np.where(nulls, np.nan, values)
    return known, np.isnan(known)


@lru_cache(maxsize=64)
def _runner(graph: bytes) -> Runner:
    return Runner(graph)  # opening takes as long as some thousand rows


def _run(transform: TracedTransform, feeds: Mapping[str, Tensor], rows: int) -> list[pl.Series]:
    run = _runner(transform.graph)
    needed = {name: feeds[name] for name in run.inputs}
    starts = range(0, rows, _CHUNK)
    parts = [run({name: one[start : start + _CHUNK] for name, one in needed.items()}) for start in starts]
    columns = dict(zip(run.outputs, map(np.concatenate, zip(*parts, strict=True)), strict=True)) if parts else {}
    return [_column(name, dtype, columns) for name, dtype in transform.outputs.items()]


def _column(name: str, dtype: DType, columns: Mapping[str, Tensor]) -> pl.Series:
    if not columns:
        return decode(name, np.empty(0, object), None, dtype)
    return decode(name, columns[name], columns.get(null_name(name)), dtype)
