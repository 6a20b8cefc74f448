"""Rows at the edges of what a model can be asked, made from a sample of what it is asked: the same ones every time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import polars as pl
from numpy.typing import NDArray

from unisono.models.deriving import derive
from unisono.models.importers.base import NUMBERS, ImportedModel
from unisono.models.names import FEATURES
from unisono.models.predictor_graph import PredictorGraph
from unisono.models.session import Runner, Session
from unisono.models.traced import TracedTransform
from unisono.models.verifying.splits import Trees, trees_of
from unisono.models.verifying.values import NULL, edges_of, plain, storable, stored
from unisono.spec.errors import InputError
from unisono.spec.types import DType, Float64
from unisono.spec.types import Tensor as TensorType
from unisono.spec.wording import listing

Tensor = NDArray[Any]

MOST_SINGLE = 10_000
"""Rows with one column changed; of more, so many are taken, spread over all."""
MOST_AT_SPLITS = 12_000
"""The same for rows at the questions of trees."""

_BASES = 2  # rows of the sample that single columns are changed in
_MATCHED_ROWS = 500  # rows by which a column of an operator's matrix is recognised
_MOST_BYTES = 1 << 26  # of tensor columns


@dataclass(frozen=True, slots=True)
class Change:
    """One row to be made.

    base:    the row of the sample that it is made of.
    values:  column -> what it holds instead.
    kind:    what it is at the edge of; a model that fails on a kind is not asked for it.
    extreme: whether sums in it depend on their order.
    """

    base: int
    values: Mapping[str, Any]
    kind: str
    extreme: bool = False


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
    columns = _Columns(_changeable(graph, imported, transforms), sample)
    single = _spread([*_single_changes(columns), *_joint_changes(columns)], _most_single(columns))
    at_splits, tried, count = _split_changes(graph, imported, columns)
    changes = [*single, *at_splits]
    return EdgeRows(_derived(columns.frame(changes), transforms), changes, tried, count)


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


class _Columns:
    """The columns that can be changed, as they are in the sample."""

    def __init__(self, dtypes: Mapping[str, DType], sample: pl.DataFrame) -> None:
        self.dtypes = dtypes
        self.sample = sample
        self.plain = {name: plain(sample.get_column(name), dtype) for name, dtype in dtypes.items()}
        self.numbers = {
            name: one.cast(pl.Float64).fill_null(np.nan).to_numpy()
            for name, one in self.plain.items()
            if dtypes[name].name in NUMBERS
        }

    @property
    def row_bytes(self) -> int:
        """What the tensors of one row take."""
        return sum(8 * dtype.size for dtype in self.dtypes.values() if isinstance(dtype, TensorType))

    def bases(self) -> list[int]:
        """Rows to change: without nulls, if there are such."""
        whole = self.sample.select(pl.all_horizontal(pl.col(*self.dtypes).is_not_null())).to_series()
        rows = whole.arg_true().to_list() or list(range(self.sample.height))
        return sorted({rows[round(part * (len(rows) - 1))] for part in np.linspace(0.0, 1.0, _BASES)})

    def frame(self, changes: Sequence[Change]) -> pl.DataFrame:
        """The rows that changes make."""
        bases = pl.Series([one.base for one in changes], dtype=pl.UInt32)
        frame = self.sample[bases]
        changed = {name: self._changed(name, bases, changes) for name in self.dtypes}
        return frame.with_columns(stored(name, values, self.dtypes[name]) for name, values in changed.items())

    def _changed(self, name: str, bases: pl.Series, changes: Sequence[Change]) -> Any:
        kept = self.plain[name][bases]
        new = ((row, one.values[name]) for row, one in enumerate(changes) if name in one.values)
        values = kept.to_numpy().copy() if self.dtypes[name].name == "Tensor" else kept.to_list()
        for row, value in new:
            values[row] = value
        return values


def _spread(changes: Sequence[Change], most: int) -> list[Change]:
    places = np.unique(np.linspace(0, len(changes) - 1, min(most, len(changes))).astype(np.int64))
    return [changes[place] for place in places]


def _most_single(columns: _Columns) -> int:
    return min(MOST_SINGLE, _MOST_BYTES // columns.row_bytes) if columns.row_bytes else MOST_SINGLE


def _single_changes(columns: _Columns) -> Iterator[Change]:
    """One column changed."""
    for name, dtype in columns.dtypes.items():
        for edge in edges_of(columns.plain[name], dtype):
            for base in columns.bases():
                yield Change(base, {name: edge.value}, edge.kind, edge.extreme)


def _joint_changes(columns: _Columns) -> Iterator[Change]:
    """All columns changed, of those that can hold such a value."""
    zeros = {name: storable(0.0, dtype) for name, dtype in columns.dtypes.items() if dtype.name in NUMBERS}
    texts = dict.fromkeys((name for name, dtype in columns.dtypes.items() if dtype.name == "String"), "")
    nulls = dict.fromkeys((name for name, dtype in columns.dtypes.items() if dtype.name != "Tensor"), NULL.value)
    for kind, values in (("all null", nulls), ("all zero", {**zeros, **texts}), ("nothing changed", {})):
        yield from (Change(base, values, kind) for base in columns.bases())


# Trees ----------------------------------------------------------------------------------------------------------------


def _split_changes(graph: PredictorGraph, imported: ImportedModel, columns: _Columns) -> tuple[list[Change], int, int]:
    """Rows at the questions of all trees, of how many questions they are, and how many there are."""
    found: list[tuple[Trees, int, Mapping[int, str]]] = []
    count = 0
    for trees, names in _named_trees(graph, imported, columns):
        asked = [split for split, question in enumerate(trees.questions) if question.values]
        count += len(asked)
        found += [(trees, split, names) for split in asked if trees.questions[split].feature in names]
    edges = max((len(trees.questions[split].values) for trees, split, _ in found), default=1)
    places = np.unique(np.linspace(0, len(found) - 1, min(len(found), MOST_AT_SPLITS // edges)).astype(np.int64))
    changes = [
        change
        for number, place in enumerate(places)
        for change in _at_split(columns, *found[place], base=number * columns.sample.height // len(places))
    ]
    return changes, len(places), count


def _at_split(columns: _Columns, trees: Trees, split: int, names: Mapping[int, str], *, base: int) -> Iterator[Change]:
    """A row that is led to a split, with each value at the edge of its answer."""
    question = trees.questions[split]
    held: dict[str, Any] = {}
    for feature, reach in trees.way_to(split).items():
        name = names.get(feature)
        if name is None:
            continue
        usual = float(columns.numbers[name][base])
        number = reach.pick(usual)
        if number is not None and number != usual:
            held[name] = storable(number, columns.dtypes[name])
    name = names[question.feature]
    dtype = columns.dtypes[name]
    values = dict.fromkeys(storable(value, dtype) for value in _also_above(question.values, dtype))
    yield from (Change(base, {**held, name: value}, _kind_at_split(value)) for value in values)


def _kind_at_split(value: object) -> str:
    return "null at a split" if value is None else "at a split"


def _also_above(values: Sequence[float | None], dtype: DType) -> Iterable[float | None]:
    """With the next number above of a dtype that has few: `storable` takes the one below."""
    step = {"Int64": 1.0, "Bool": 1.0}.get(dtype.name) or (10.0 ** -getattr(dtype, "places", 0))
    more = [value + step for value in values if value is not None] if dtype.name != "Float64" else []
    return (*values, *more)


def _named_trees(
    graph: PredictorGraph, imported: ImportedModel, columns: _Columns
) -> Iterator[tuple[Trees, Mapping[int, str]]]:
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


def _in_order(imported: ImportedModel, columns: _Columns) -> list[str]:
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
    return {**given, **dict(zip(inside, Runner(shown.SerializeToString())(feeds), strict=True))}


def _names(matrix: Tensor, known: dict[str, Tensor]) -> dict[int, str]:
    """Which column of a frame each column of a matrix is: the same numbers, perhaps rounded, wherever there is any."""
    exact = {_key(values): name for name, values in reversed(known.items())}
    rounded = {_key(_as_float32(values)): name for name, values in reversed(known.items())}
    found: dict[int, str] = {}
    for place in range(matrix.shape[1]):
        values = matrix[:, place].astype(np.float64)
        key = _key(values)
        name = exact.get(key) or rounded.get(key) or _filled_from(values, known)
        if name is not None:
            found[place] = name
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
