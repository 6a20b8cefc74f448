"""Rows at the questions of a graph's trees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from unisono.models.importers.base import ImportedModel
from unisono.models.predictor_graph import PredictorGraph
from unisono.models.ragged import is_ragged
from unisono.models.session import Interface, Runner, Session
from unisono.models.verifying.changes import Change, Columns, spread
from unisono.models.verifying.splits import Trees, trees_of
from unisono.models.verifying.values import storable
from unisono.spec.types import DType

Tensor = NDArray[Any]

MOST_ROWS = 18_000
"""Enough for each of 6000 questions."""

_MATCHED_ROWS = 500  # rows by which a column of an operator's matrix is recognised


class AtSplits(NamedTuple):
    """Rows at the questions of trees.

    changes: that make them.
    splits:  questions that rows were made for.
    split_count: questions that there are.
    """

    changes: list[Change]
    splits: int
    split_count: int


@dataclass(frozen=True, slots=True)
class _Named:
    """What a column of an operator's matrix is.

    column:         of the frame.
    may_be_rounded: whether all numbers seen there are float32.
    """

    column: str
    may_be_rounded: bool


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question that a row can be led to.

    trees, split: which.
    names:        columns of the trees' matrix, of those that can be changed.
    """

    trees: Trees
    split: int
    names: Mapping[int, _Named]

    @property
    def column(self) -> str:
        """That it asks about."""
        return self.names[self.trees.questions[self.split].feature].column

    @property
    def values(self) -> tuple[float | None, ...]:
        """At the edge of its answer."""
        question = self.trees.questions[self.split]
        is_rounded = self.names[question.feature].may_be_rounded and question.above is not None
        return (*question.values, question.above) if is_rounded else question.values

    def changes(self, columns: Columns, base: int) -> Iterator[Change]:
        """A row of the sample that is led to it, with each of the values."""
        held = self._held(columns, base)
        dtype = columns.dtypes[self.column]
        for value in dict.fromkeys(storable(value, dtype) for value in _also_above(self.values, dtype)):
            kind = "null at a split" if value is None else "at a split"
            yield Change(base, {**held, self.column: value}, kind)

    def _held(self, columns: Columns, base: int) -> dict[str, Any]:
        """What has to be changed to be asked."""
        held: dict[str, Any] = {}
        for feature, reach in self.trees.way_to(self.split).items():
            if feature in self.names:
                name = self.names[feature].column
                usual = float(columns.numbers[name][base])
                number = reach.pick(usual)
                if number is not None and number != usual:
                    held[name] = storable(number, columns.dtypes[name])
        return held


def changes_at_splits(graph: PredictorGraph, imported: ImportedModel, columns: Columns) -> AtSplits:
    """Rows that are led to the questions of a graph's trees; of very many, to some spread over all."""
    found: list[_Asked] = []
    count = 0
    for trees, names in _named_trees(graph, imported, columns):
        asked = [split for split, question in enumerate(trees.questions) if question.values]
        count += len(asked)
        found += [_Asked(trees, split, names) for split in asked if trees.questions[split].feature in names]
    chosen = spread(found, MOST_ROWS // max((len(one.values) for one in found), default=1))
    rows = columns.sample.height
    changes = [
        change
        for number, one in enumerate(chosen)
        for change in one.changes(columns, base=number * rows // len(chosen))
    ]
    return AtSplits(changes, len(chosen), count)


def _also_above(values: Sequence[float | None], dtype: DType) -> Iterable[float | None]:
    """With the next number above of a dtype that has few: `storable` takes the one below."""
    step = {"Int64": 1.0, "Bool": 1.0}.get(dtype.name) or (10.0 ** -getattr(dtype, "places", 0))
    more = [value + step for value in values if value is not None] if dtype.name != "Float64" else []
    return (*values, *more)


def _named_trees(
    graph: PredictorGraph, imported: ImportedModel, columns: Columns
) -> Iterator[tuple[Trees, Mapping[int, _Named]]]:
    """The trees of a graph, each with the columns of a frame that the columns of its matrix are."""
    model = onnx.load_model_from_string(graph.onnx)
    found = trees_of(model)
    if not found:
        return
    rows = columns.sample.head(_MATCHED_ROWS)
    feeds = Session(graph.onnx).feeds(graph.features_of(rows), graph.encode(rows, "sample"))
    matrices = {one.matrix for one in found}
    known = {name: columns.numbers[name][: rows.height] for name in _in_order(imported, columns)}
    read = {name: value for name, value in _values_of(model, matrices, feeds).items() if value.ndim == 2}
    for trees in found:
        if trees.matrix in read:
            yield trees, _names(read[trees.matrix], known)


def _in_order(imported: ImportedModel, columns: Columns) -> list[str]:
    """The columns with numbers, in the model's own order first."""
    return [name for name in dict.fromkeys((*imported.columns, *columns.numbers)) if name in columns.numbers]


def _values_of(model: onnx.ModelProto, names: Iterable[str], feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What some values of a graph are for some rows."""
    given = {name: feeds[name] for name in names if name in feeds}
    inside = sorted(name for name in names if name not in given)
    if not inside:
        return given
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inside)
    runner = Runner(shown.SerializeToString())
    one_by_one = any(is_ragged(one) for one in feeds.values())  # the numbers of words, as many as each text has
    session = Session.over(runner, Interface(runner.inputs, runner.outputs, one_by_one=one_by_one, front=None))
    return {**given, **session.answer(feeds)}


def _names(matrix: Tensor, known: dict[str, Tensor]) -> dict[int, _Named]:
    """Which column of a frame each column of a matrix is: the same numbers, perhaps rounded, wherever there is any."""
    exact = {_key(values): name for name, values in reversed(known.items())}
    rounded = {_key(_as_float32(values)): name for name, values in reversed(known.items())}
    found: dict[int, _Named] = {}
    for place in range(matrix.shape[1]):
        values = matrix[:, place].astype(np.float64)
        key = _key(values)
        name = exact.get(key) or rounded.get(key) or _filled_from(values, known)
        if name is not None:
            found[place] = _Named(name, _key(_as_float32(values)) == key)
    return found


def _key(values: Tensor) -> bytes:
    return (np.where(np.isnan(values), np.nan, values) + 0.0).tobytes()


def _as_float32(values: Tensor) -> Tensor:
    with np.errstate(over="ignore"):
        return values.astype(np.float32).astype(np.float64)


def _filled_from(values: Tensor, known: Mapping[str, Tensor]) -> str | None:
    """The column whose numbers these are, where it has any; what stands elsewhere was filled in."""
    for name, column in known.items():
        there = ~np.isnan(column)
        if there.any() and (_as_float32(column[there]) == _as_float32(values[there])).all():
            return name
    return None
