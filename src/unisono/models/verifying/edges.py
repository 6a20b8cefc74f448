"""Rows at the edges of what a model can be asked, made from a sample of what it is asked: the same ones every time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.models.deriving import derive
from unisono.models.importers.base import NUMBERS, ImportedModel
from unisono.models.names import FEATURES
from unisono.models.predictor_graph import PredictorGraph
from unisono.models.traced import TracedTransform
from unisono.models.verifying.at_splits import changes_at_splits
from unisono.models.verifying.changes import Change, Columns, spread
from unisono.models.verifying.values import NULL, edges_of, storable
from unisono.spec.errors import InputError
from unisono.spec.types import DType, Float64
from unisono.spec.wording import listing

Tensor = NDArray[Any]

MOST_SINGLE = 10_000
"""Rows with one column changed; of more, so many are taken, spread over all."""

_MOST_BYTES = 1 << 26  # of tensor columns


@dataclass(frozen=True, slots=True)
class EdgeRows:
    """Rows that were made.

    frame:   with the columns of the sample that transforms and model read.
    changes: how each was made, in their order.
    splits:  questions of trees that rows were made for, and split_count: that there are.
    """

    frame: pl.DataFrame
    changes: Sequence[Change] = field(repr=False)
    splits: int
    split_count: int

    @property
    def extreme(self) -> NDArray[np.bool_]:
        """Which rows are extreme."""
        return np.array([one.extreme for one in self.changes], np.bool_)


def edge_rows(
    graph: PredictorGraph, imported: ImportedModel, sample: pl.DataFrame, transforms: Sequence[TracedTransform]
) -> EdgeRows:
    """Rows at the edges of a predictor's inputs, and at the questions of its trees.

    sample:     one row or more, with request, features and derived columns.
    transforms: the predictor's own: what they derive is derived again from what was changed.

    Raises InputError if the graph derives a column that none of the transforms makes.
    """
    _refuse_missing(graph, transforms)
    columns = Columns(_changeable(graph, imported, transforms), sample)
    single = spread([*_single_changes(columns)], _most_single(columns))
    at_splits = changes_at_splits(graph, imported, columns)
    changes = [*single, *_joint_changes(columns), *at_splits.changes]
    return EdgeRows(_derived(columns.frame(changes), transforms), changes, at_splits.splits, at_splits.split_count)


def _refuse_missing(graph: PredictorGraph, transforms: Sequence[TracedTransform]) -> None:
    made = {column for transform in transforms for column in transform.outputs}
    if missing := [column for column in graph.derived if column not in made]:
        raise InputError(
            f"edge rows: the graph derives {listing(missing)}; allowed: columns that transforms= make "
            f"({listing(made)}); pass the transforms that the graph was built of"
        )


def _changeable(
    graph: PredictorGraph, imported: ImportedModel, transforms: Sequence[TracedTransform]
) -> Mapping[str, DType]:
    """The columns that an answer depends on, but for those that are derived."""
    read = {*imported.columns, *(name for one in transforms for name in one.reads.get(FEATURES, {}))}
    return {**graph.request, **{name: Float64 for name in graph.features if name in read}}


def _derived(frame: pl.DataFrame, transforms: Sequence[TracedTransform]) -> pl.DataFrame:
    return frame.with_columns(derive(transforms, frame, "edge rows").get_columns()) if transforms else frame


def _most_single(columns: Columns) -> int:
    return min(MOST_SINGLE, _MOST_BYTES // columns.row_bytes) if columns.row_bytes else MOST_SINGLE


def _single_changes(columns: Columns) -> Iterator[Change]:
    """One column changed."""
    for name, dtype in columns.dtypes.items():
        for edge in edges_of(columns.plain[name], dtype):
            for base in columns.bases:
                yield Change(base, {name: edge.value}, edge.kind, edge.extreme)


def _joint_changes(columns: Columns) -> Iterator[Change]:
    """All columns changed, of those that can hold such a value."""
    zeros = {name: storable(0.0, dtype) for name, dtype in columns.dtypes.items() if dtype.name in NUMBERS}
    texts = dict.fromkeys((name for name, dtype in columns.dtypes.items() if dtype.name == "String"), "")
    nulls = dict.fromkeys((name for name, dtype in columns.dtypes.items() if dtype.name != "Tensor"), NULL.value)
    for kind, values in (("all null", nulls), ("all zero", {**zeros, **texts}), ("nothing changed", {})):
        yield from (Change(base, values, kind) for base in columns.bases)
