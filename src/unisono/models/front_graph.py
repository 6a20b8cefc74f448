"""Puts one matrix in front of a graph: the numbers that a model takes as they are enter together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from unisono.models.canonical import refill
from unisono.models.front import FRONT_KEY, MATRIX, Front
from unisono.models.names import FEATURES, REQUEST, input_name, is_null_name, is_tokens_name, null_name

Columns = tuple[int | str, ...]
"""What a matrix inside a graph is made of; see `Front.columns`."""


def with_front(graph: bytes) -> bytes:
    """The same graph with a front, as far as its columns go unchanged into matrices; else the same bytes.

    graph: the bytes of `PredictorGraph.onnx`.

    Every answer keeps its bits, since values are only moved. Inputs that are read elsewhere stay beside the matrix.
    """
    model = onnx.load_model_from_string(graph)
    rewriting = _Rewriting(model.graph)
    if rewriting.has_other_matrix:
        return graph
    nodes = [made for node in model.graph.node for made in rewriting.stands_for(node)]
    columns = rewriting.columns
    if not columns:
        return graph
    front = Front(columns, tuple(one.name for one in model.graph.input))
    model.graph.input.append(helper.make_tensor_value_info(MATRIX, TensorProto.DOUBLE, ["N", len(columns)]))
    choices = rewriting.choices_of(columns, nodes)
    model.graph.initializer.extend(rewriting.constants)
    _keep_needed(model.graph, [*choices, *nodes])
    model.metadata_props.add(key=FRONT_KEY, value=front.to_text())
    encoded: bytes = model.SerializeToString(deterministic=True)
    return encoded


class _Known:
    """What is known of a graph's values.

    constants: value -> what it always is.
    floats:    value -> the request column that it holds as float64, something where that is null.
    vectors:   value -> the request column that it holds as float64, NaN where that is null.
    matrices:  value -> the columns that it holds.
    singles:   values that are one column of whatever it is.
    """

    def __init__(self, graph: GraphProto) -> None:
        inputs = {one.name: one.type.tensor_type for one in graph.input}
        fixed = (one for one in graph.initializer if one.name not in inputs)
        self.constants: dict[str, NDArray[Any]] = {one.name: numpy_helper.to_array(one) for one in fixed}
        self._raw = {name: _column_of(name) for name, kind in inputs.items() if _is_number(name, kind)}
        self.floats = {name: one for name, one in self._raw.items() if inputs[name].elem_type == TensorProto.DOUBLE}
        self.vectors: dict[str, str] = {}
        self.matrices: dict[str, Columns] = {}
        self.singles: set[str] = set()
        if FEATURES in inputs:
            self.matrices[FEATURES] = tuple(range(inputs[FEATURES].shape.dim[1].dim_value))
        for node in graph.node:
            rule = _RULES.get(node.op_type)
            if rule is not None and not node.domain:
                rule(self, node)

    def constant(self, node: NodeProto) -> None:
        """A constant."""
        found = helper.get_attribute_value(node.attribute[0])
        if isinstance(found, TensorProto):
            self.constants[node.output[0]] = numpy_helper.to_array(found)

    def cast(self, node: NodeProto) -> None:
        """A whole number or a truth as float64."""
        to = next(one.i for one in node.attribute if one.name == "to")
        if node.input[0] in self._raw and to == TensorProto.DOUBLE:
            self.floats[node.output[0]] = self._raw[node.input[0]]

    def where(self, node: NodeProto) -> None:
        """NaN where a column is null."""
        condition, nothing, value = node.input
        column = self.floats.get(value)
        if column is not None and condition == null_name(input_name(REQUEST, column)) and self._is_nan(nothing):
            self.vectors[node.output[0]] = column

    def _is_nan(self, name: str) -> bool:
        found = self.constants.get(name)
        return found is not None and found.dtype == np.float64 and found.size == 1 and bool(np.isnan(found).all())

    def unsqueeze(self, node: NodeProto) -> None:
        """A column as a matrix of one."""
        axes = self.constants.get(node.input[1])
        if axes is None or axes.tolist() != [1]:
            return
        self.singles.add(node.output[0])
        if node.input[0] in self.vectors:
            self.matrices[node.output[0]] = (self.vectors[node.input[0]],)

    def concat(self, node: NodeProto) -> None:
        """Matrices side by side."""
        if _axis(node) == 1 and all(name in self.matrices for name in node.input):
            self.matrices[node.output[0]] = tuple(one for name in node.input for one in self.matrices[name])

    def gather(self, node: NodeProto) -> None:
        """Some columns of a matrix."""
        columns, chosen = self.matrices.get(node.input[0]), self.chosen(node)
        if columns is not None and chosen is not None:
            self.matrices[node.output[0]] = tuple(columns[place] for place in chosen)

    def chosen(self, node: NodeProto) -> Sequence[int] | None:
        """Which columns a node takes, if that is what it does."""
        if node.op_type != "Gather" or node.domain or _axis(node) != 1:
            return None
        found = self.constants.get(node.input[1])
        return None if found is None or found.ndim != 1 else found.tolist()


_RULES: Mapping[str, Callable[[_Known, NodeProto], None]] = {
    "Constant": _Known.constant,
    "Cast": _Known.cast,
    "Where": _Known.where,
    "Unsqueeze": _Known.unsqueeze,
    "Concat": _Known.concat,
    "Gather": _Known.gather,
}


def _column_of(name: str) -> str:
    return name.removeprefix(f"{REQUEST}.")


def _is_number(name: str, kind: Any) -> bool:
    is_value = name.startswith(f"{REQUEST}.") and not is_null_name(name) and not is_tokens_name(name)
    allowed = (TensorProto.DOUBLE, TensorProto.INT64, TensorProto.BOOL)
    return is_value and kind.elem_type in allowed and len(kind.shape.dim) == 1


def _axis(node: NodeProto) -> int:
    return next((int(one.i) for one in node.attribute if one.name == "axis"), 0)


class _Rewriting:
    """Lets the nodes of a graph read known columns in the matrix.

    Each choice of columns that some node reads is a value `matrix.N`.

    constants: what the new nodes need.
    """

    def __init__(self, graph: GraphProto) -> None:
        self._known = _Known(graph)
        self._choices: dict[Columns, str] = {}
        self.constants: list[TensorProto] = []
        uses = Counter(name for node in graph.node for name in _reads(node))
        uses.update(one.name for one in graph.output)
        takers = (node for node in graph.node if self._known.chosen(node) is not None)
        self._takers = {node.input[0]: node for node in takers if uses[node.input[0]] == 1}
        self._merged: set[str] = set()
        self.has_other_matrix = any(name.startswith(MATRIX) for name in uses)

    def stands_for(self, node: NodeProto) -> list[NodeProto]:
        """What takes a node's place."""
        if node.output[0] in self._known.matrices:
            return [node]  # nobody needs it any more, unless it is an output
        if node.output[0] in self._merged:
            return []
        if self._is_mixed(node):
            return self._mixed(node)
        for place, name in enumerate(node.input):
            if name in self._known.matrices and name != FEATURES:
                node.input[place] = self._choice(self._known.matrices[name])
        return [node]

    def _choice(self, columns: Columns) -> str:
        return self._choices.setdefault(columns, f"{MATRIX}.{len(self._choices)}")

    def _is_mixed(self, node: NodeProto) -> bool:
        """Whether a node puts columns of the request beside single columns of another kind."""
        if node.op_type != "Concat" or node.domain or _axis(node) != 1:
            return False
        columns = [one for name in node.input for one in self._known.matrices.get(name, ())]
        others = [name for name in node.input if name not in self._known.matrices]
        return any(isinstance(one, str) for one in columns) and all(name in self._known.singles for name in others)

    def _mixed(self, node: NodeProto) -> list[NodeProto]:
        """The columns of the matrix, then the others; then all in their order, if that is another."""
        entries = [entry for name in node.input for entry in self._entries(name)]
        made = node.output[0]
        taker = self._takers.get(made)
        if taker is not None:
            entries = [entries[place] for place in self._known.chosen(taker) or ()]
            made = taker.output[0]
            self._merged.add(made)
        columns = tuple(dict.fromkeys(one for one in entries if not isinstance(one, _Other)))
        others = list(dict.fromkeys(one for one in entries if isinstance(one, _Other)))
        joined = [self._choice(columns), *(one.value for one in others)]
        parts = [*columns, *others]
        order = [parts.index(one) for one in entries]
        if order == list(range(len(parts))):
            return [helper.make_node("Concat", joined, [made], axis=1)]
        whole = f"{made}.joined"
        return [helper.make_node("Concat", joined, [whole], axis=1), self._taking(whole, order, made)]

    def _entries(self, name: str) -> Sequence[int | str | _Other]:
        return self._known.matrices.get(name) or [_Other(name)]

    def _taking(self, matrix: str, order: Sequence[int], made: str) -> NodeProto:
        """Some columns of a matrix."""
        places = f"{made}.places"
        self.constants.append(numpy_helper.from_array(np.array(order, np.int64), places))
        return helper.make_node("Gather", [matrix, places], [made], axis=1)

    @property
    def columns(self) -> Columns:
        """Of the matrix: those of the longest choice, then what other choices have beside it."""
        longest = max(self._choices, key=len, default=())
        return tuple(dict.fromkeys(one for choice in (longest, *self._choices) for one in choice))

    def choices_of(self, columns: Columns, nodes: Iterable[NodeProto]) -> list[NodeProto]:
        """What makes the choices of the matrix; nodes that read all of it are led to the matrix itself."""
        whole = self._choices.pop(columns, None)
        for node in nodes:
            node.input[:] = [MATRIX if name == whole else name for name in node.input]
        return [
            self._taking(MATRIX, [columns.index(one) for one in choice], made) for choice, made in self._choices.items()
        ]


class _Other(NamedTuple):
    """A column that is not the request's: the value that holds it."""

    value: str


def _reads(node: NodeProto) -> Iterator[str]:
    """The values that a node reads, those that its branches and loops read among them."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _reads(inner)
            yield from (one.name for one in graph.output)


def _keep_needed(graph: GraphProto, nodes: Sequence[NodeProto]) -> None:
    """Leaves a graph the nodes, inputs and constants that its outputs need."""
    needed = {one.name for one in graph.output}
    kept: list[NodeProto] = []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            needed.update(_reads(node))
            kept.append(node)
    refill(graph.node, reversed(kept))
    refill(graph.input, sorted((one for one in graph.input if one.name in needed), key=lambda one: str(one.name)))
    refill(graph.initializer, [one for one in graph.initializer if one.name in needed])
