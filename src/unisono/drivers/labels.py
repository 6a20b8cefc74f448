"""Labels: what turned out to be true of each request, as it was known some time after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from unisono.drivers.views import Deriving
from unisono.features.frames import EventTable, RequestTable, key_frame
from unisono.spec.predictor import Label

if TYPE_CHECKING:
    from unisono.models import TracedTransform

_ON, _ROW, _KNOWN, _TIME, _SEQUENCE, _VALUE, _GONE = "on", "row", "known", "time", "sequence", "value", "gone"


def label_column(label: Label, transforms: Sequence[TracedTransform], asked: RequestTable, events: object) -> pl.Series:
    """The label of each request: of the events with its `on` that are known `within` after it, and not retracted by
    then, the last by (event time, log order); null if there is none.

    transforms: what makes the label's column, if its source does not have it.
    events:     of the label's source.
    """
    table = EventTable(events, label.source)
    truths = _truths(label, table, Deriving(table).deriving(transforms).series(label.column))
    questions = key_frame(asked.frame, {label.on: label.source.columns[label.on]}, asked.place, None)
    asks = pl.DataFrame([questions.to_series().alias(_ON), pl.Series(_KNOWN, asked.time + label.within)])
    found = (
        asks.with_row_index(_ROW)
        .join(truths, on=_ON, how="inner", suffix="_of_event")
        .filter((pl.col(f"{_KNOWN}_of_event") <= pl.col(_KNOWN)) & ~(pl.col(_GONE) <= pl.col(_KNOWN)).fill_null(False))
        .sort(_ROW, _TIME, _SEQUENCE)
        .unique(_ROW, keep="last", maintain_order=True)
    )
    rows = asks.with_row_index(_ROW).select(_ROW).join(found, on=_ROW, how="left", maintain_order="left")
    return rows.get_column(_VALUE).alias(label.column)


def _truths(label: Label, table: EventTable, values: pl.Series) -> pl.DataFrame:
    """One row an event that counts: what it is about, from when it is known, its value, and when it is retracted."""
    ids, retractions = table.ids(), table.retractions()
    on = table.keys([label.on])
    rows = pl.DataFrame(
        [
            on.to_series().alias(_ON),
            pl.Series("id", np.arange(len(table)) if ids is None else ids),
            pl.Series(_TIME, table.time),
            pl.Series(_KNOWN, table.ingest),
            pl.Series(_SEQUENCE, np.arange(len(table))),
            values.alias(_VALUE),
            pl.Series("retracts", np.zeros(len(table), np.uint8) if retractions is None else retractions),
        ]
    )
    identity = [_ON, "id", _TIME]
    counted = rows.filter(pl.col("retracts") == 0).unique(identity, keep="first", maintain_order=True)
    undone = rows.filter(pl.col("retracts") == 1).group_by(identity).agg(pl.col(_KNOWN).min().alias(_GONE))
    return counted.join(undone, on=identity, how="left", maintain_order="left")
