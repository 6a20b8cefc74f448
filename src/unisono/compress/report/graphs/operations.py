"""How much a graph computes for a row: counted from the shapes that real rows have inside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, helper

from unisono.compress.report.graphs.constants import ConstantsOf, Tensor, has_graphs
from unisono.compress.report.graphs.parameters import LEARNT
from unisono.models.engines.base import UnsuitableError
from unisono.models.engines.ensemble import read_ensemble
from unisono.models.session import Runner

Feeds = Mapping[str, Tensor]

_FLOAT_BYTES = 4
_VISIT_BYTES = 32  # of a tree's node: feature, threshold, two children


@dataclass(frozen=True, slots=True)
class Work:
    """What one node does for one row.

    operations: multiplications with an addition; of trees: comparisons.
    bits:       of the numbers that are multiplied; 0 for comparisons.
    bytes_read: of weights.
    """

    operations: float
    bits: int
    bytes_read: float


@dataclass(frozen=True, slots=True)
class _Seen:
    """A node with what it was given.

    shapes: value -> its shape.
    values: value -> the array, of a matrix that trees read.
    """

    node: NodeProto
    shapes: Mapping[str, Sequence[int]]
    values: Mapping[str, Tensor]
    attributes: Mapping[str, Any]

    def taken(self, place: int) -> Sequence[int]:
        return self.shapes[self.node.input[place]]

    @property
    def given(self) -> Sequence[int]:
        return self.shapes[self.node.output[0]]


def _matrices(seen: _Seen) -> float:
    return math.prod(seen.given) * seen.taken(0)[-1]


def _gemm(seen: _Seen) -> float:
    return math.prod(seen.given) * seen.taken(0)[0 if seen.attributes.get("transA") else -1]


def _convolution(weights: int) -> Callable[[_Seen], float]:
    return lambda seen: math.prod(seen.given) * math.prod(seen.taken(weights)[1:])


def _transposed(seen: _Seen) -> float:
    return math.prod(seen.taken(0)) * math.prod(seen.taken(1)[1:])


def _recurrent(seen: _Seen) -> float:
    return math.prod(seen.taken(0)[:2]) * (math.prod(seen.taken(1)) + math.prod(seen.taken(2)))


def _inside(seen: _Seen) -> float:
    return seen.given[0] * float(sum(len(seen.attributes.get(name, ())) for name in LEARNT[seen.node.op_type]))


def _comparisons(seen: _Seen) -> float:
    """The splits on each row's ways from the roots to the leaves; half of all where the trees are of another form."""
    try:
        trees = read_ensemble(seen.node, None).trees
    except UnsuitableError:
        return sum(len(seen.attributes.get(name, ())) for name in ("nodes_modes", "nodes_treeids")) / 2
    return float(sum(_visited(trees, row) for row in seen.values[seen.node.input[0]]))


def _visited(trees: Any, row: Tensor) -> int:
    at, count = trees.roots, 0
    while len(at := at[at >= 0]):
        count += len(at)
        asked = row[trees.feature[at]]
        yes = np.where(np.isnan(asked), trees.missing_yes[at], asked <= trees.threshold[at])
        for place in np.flatnonzero((trees.member_of[at] >= 0) & ~np.isnan(asked)):
            yes[place] = asked[place] in trees.sets[trees.member_of[at[place]]]
        at = np.where(yes, trees.yes[at], trees.no[at])
    return count


_COUNTED: Mapping[str, tuple[Callable[[_Seen], float], int]] = {
    "MatMul": (_matrices, 1),
    "MatMulInteger": (_matrices, 1),
    "QLinearMatMul": (_matrices, 3),
    "Gemm": (_gemm, 1),
    "Conv": (_convolution(1), 1),
    "ConvInteger": (_convolution(1), 1),
    "QLinearConv": (_convolution(3), 3),
    "ConvTranspose": (_transposed, 1),
    "LSTM": (_recurrent, 1),
    "GRU": (_recurrent, 1),
    "LinearClassifier": (_inside, -1),
    "LinearRegressor": (_inside, -1),
    "SVMClassifier": (_inside, -1),
    "SVMRegressor": (_inside, -1),
    "TreeEnsemble": (_comparisons, -1),
    "TreeEnsembleClassifier": (_comparisons, -1),
    "TreeEnsembleRegressor": (_comparisons, -1),
}
"""Operator -> how its operations are counted, and the place of its weights; -1: it holds them itself."""

_OF_BYTES = ("MatMulInteger", "QLinearMatMul", "ConvInteger", "QLinearConv")
_TREES = ("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor")


def work_of(constants: ConstantsOf, rows: Sequence[Feeds]) -> list[list[Work]] | None:
    """What a graph does for some rows, node by node.

    rows: arrays of one row each, by the names of the graph's inputs.

    None where it is not known: a loop or a condition has other graphs inside that compute.
    """
    if any(has_graphs(node) and _computes(node) for node in constants.nodes):
        return None
    counted = [node for node in constants.nodes if node.op_type in _COUNTED]
    makers = {output: node for node in constants.model.graph.node for output in node.output}
    runner = Runner(_showing(constants, counted))
    return [[_work(seen, constants, makers) for seen in _seen(runner, constants, counted, row)] for row in rows]


def _computes(node: NodeProto) -> bool:
    inner = [one.g for one in node.attribute if one.HasField("g")] + [g for one in node.attribute for g in one.graphs]
    return any(one.op_type in _COUNTED or (has_graphs(one) and _computes(one)) for graph in inner for one in graph.node)


def _showing(constants: ConstantsOf, nodes: Sequence[NodeProto]) -> bytes:
    """The graph with everything that some nodes take and give as outputs."""
    model = onnx.ModelProto()
    model.CopyFrom(constants.model)
    taken = {name for node in nodes for name in (*node.input, node.output[0]) if name}
    values = [*model.graph.input, *model.graph.output]
    fixed = [*(one.name for one in values), *(one.name for one in model.graph.initializer)]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(taken.difference(fixed)))
    shown: bytes = model.SerializeToString()
    return shown


def _seen(runner: Runner, constants: ConstantsOf, nodes: Sequence[NodeProto], row: Feeds) -> list[_Seen]:
    found = dict(zip(runner.outputs, runner({name: row[name] for name in runner.inputs if name in row}), strict=True))
    values = {**row, **found}
    shapes: dict[str, Sequence[int]] = {one.name: list(one.dims) for one in constants.model.graph.initializer}
    shapes |= {name: one.shape for name, one in values.items()}
    return [
        _Seen(node, shapes, values, {one.name: helper.get_attribute_value(one) for one in node.attribute})
        for node in nodes
    ]


def _work(seen: _Seen, constants: ConstantsOf, makers: Mapping[str, NodeProto]) -> Work:
    node = seen.node
    count, place = _COUNTED[node.op_type]
    operations = count(seen)
    if node.op_type in _TREES:
        return Work(operations, 0, operations * _VISIT_BYTES)
    if place < 0:
        return Work(operations, 32, _FLOAT_BYTES * operations)
    return Work(operations, _bits(node, place, makers), _read(seen, node.input[place], constants, makers))


def _read(seen: _Seen, weights: str, constants: ConstantsOf, makers: Mapping[str, NodeProto]) -> float:
    """Bytes of weights that a product reads: as they are stored, but for what is unpacked when the graph is opened."""
    if weights not in constants:
        return 0
    maker = makers.get(weights)
    if maker is None or maker.op_type == "DequantizeLinear":
        return constants.stored_bytes(weights)
    return _FLOAT_BYTES * math.prod(seen.shapes[weights])


def _bits(node: NodeProto, place: int, makers: Mapping[str, NodeProto]) -> int:
    """8 where both sides are of 8 bits, or were a moment ago, so that a runtime may multiply them as they were."""
    if node.op_type in _OF_BYTES:
        return 8
    sides = [makers.get(node.input[side]) for side in (0, place)]
    return 8 if all(one is not None and one.op_type == "DequantizeLinear" for one in sides) else 32
