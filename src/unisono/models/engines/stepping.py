"""Reads the steps from a sum of trees to the outputs out of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from unisono.models.emit import finished
from unisono.models.engines.steps import KINDS, OPERATIONS, Steps, Value, operation_name
from unisono.models.session import Runner

_KINDS = {np.dtype(np.float64): "float", np.dtype(np.int64): "int", np.dtype(object): "text"}
_ASK_TABLES = ("Gather", "Choose")
_OF_TABLES = ("Add", "Sub", "Mul", "Reshape", "Constant")
_TO = {TensorProto.DOUBLE: "to float", TensorProto.INT64: "to int"}


class _OtherError(ValueError):
    """The graph does something that is not among the operations."""


def steps_of(after: ModelProto) -> Steps | None:
    """The steps of a graph that reads one column of sums, rows x 1; None if they are not all known."""
    if len(after.graph.input) != 1:
        return None
    computed = _computed(after.graph, _fixed(after.graph))
    reading = _Reading(after, computed)
    try:
        for node in after.graph.node:
            if node.output[0] not in computed:
                reading.take(node)
        return reading.steps
    except _OtherError:
        return None


def _fixed(graph: GraphProto) -> list[NodeProto]:
    """The nodes that only compute with constants: those that make the tables of an exponential."""
    known = {one.name for one in graph.initializer}
    found = []
    for node in graph.node:
        if node.op_type in _OF_TABLES and not node.domain and known.issuperset(node.input):
            known.update(node.output)
            found.append(node)
    return found


def _computed(graph: GraphProto, fixed: Sequence[NodeProto]) -> Mapping[str, NDArray[Any]]:
    """What they make."""
    names = [node.output[0] for node in fixed if node.op_type != "Constant"]
    if not names:
        return {}
    outputs = [ValueInfoProto(name=name) for name in names]
    whole = finished(helper.make_graph(fixed, "fixed", [], outputs, graph.initializer))
    return dict(zip(names, Runner(whole.SerializeToString())({}), strict=True))


class _Reading:
    """Goes through the nodes; every value is one number a row, but for tables and the sums, which are a column."""

    def __init__(self, after: ModelProto, computed: Mapping[str, NDArray[Any]]) -> None:
        graph = after.graph
        self._source = graph.input[0].name
        self._outputs = [one.name for one in graph.output]
        self._constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer} | dict(computed)
        self._tables: dict[str, bytes] = {}
        self._values: dict[str, Value | list[Value]] = {}
        self._steps: list[tuple[str, str, str, str]] = []
        self._kinds: dict[str, str] = {}
        self._column = ""

    @property
    def steps(self) -> Steps:
        """What was read. Raises _OtherError if it is not from one number to numbers."""
        if not self._column or any(self._kinds.get(name) not in KINDS for name in self._outputs):
            raise _OtherError
        made = [self._column, *(made for *_, made in self._steps)]
        places = {name: place for place, name in enumerate([*self._tables, *self._values, *made])}
        steps = [(name, places[one], places[other]) for name, one, other, _ in self._steps]
        outputs = [(places[name], self._kinds[name]) for name in self._outputs]
        return Steps(self._source, [*self._tables.values()], [*self._values.values()], steps, outputs)

    def take(self, node: NodeProto) -> None:
        """Take in a node. Raises _OtherError."""
        if node.domain:
            raise _OtherError
        if node.op_type == "Constant":
            self._constants[node.output[0]] = _tensor_of(node)
        elif node.op_type == "Squeeze":
            self._take_column(node)
        elif node.op_type == "Where":
            self._take_choice(node)
        else:
            self._take_operation(node)

    def _take_column(self, node: NodeProto) -> None:
        axes = self._constants.get(node.input[1]) if len(node.input) > 1 else None
        if self._column or node.input[0] != self._source or axes is None or axes.tolist() != [1]:
            raise _OtherError
        self._column = node.output[0]
        self._kinds[self._column] = "float"

    def _take_choice(self, node: NodeProto) -> None:
        """One of two constants, e.g. the labels of two classes."""
        condition, yes, no = node.input
        both = [self._constants[name] for name in (no, yes) if name in self._constants]
        if len(both) < 2 or any(one.size != 1 or one.ndim > 1 for one in both):
            raise _OtherError
        table = f"{node.output[0]}.choices"
        self._constants[table] = np.array([one.item() for one in both], both[0].dtype)
        self._add("Choose", [table, condition], node.output[0])

    def _take_operation(self, node: NodeProto) -> None:
        given = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        if given.get("axis", 0) != 0 or (node.op_type == "Mod" and given.get("fmod") != 1):
            raise _OtherError
        name = _TO.get(given["to"], "") if node.op_type == "Cast" else node.op_type
        self._add(name, list(node.input), node.output[0])

    def _add(self, name: str, given: Sequence[str], made: str) -> None:
        """Add a step. The first of what a table is asked by is the table."""
        kinds = [self._kind(one, is_table=name in _ASK_TABLES and not at) for at, one in enumerate(given)]
        known = OPERATIONS.get((name, kinds[0], kinds[1] if len(kinds) > 1 else "")) if len(kinds) < 3 else None
        if known is None:
            raise _OtherError
        self._steps.append((operation_name(name, *kinds), given[0], given[-1], made))
        self._kinds[made] = known[1]

    def _kind(self, value: str, *, is_table: bool) -> str:
        """Of a value; a constant is taken in when it is first read."""
        if value not in self._kinds:
            constant = self._constants.get(value)
            if constant is None or constant.dtype not in _KINDS or not _fits(constant, is_table=is_table):
                raise _OtherError
            if is_table and constant.dtype == np.float64:
                self._tables[value] = constant.tobytes()
            else:
                self._values[value] = constant.tolist() if is_table else constant.item()
            self._kinds[value] = _KINDS[constant.dtype] + ("s" if is_table else "")
        return self._kinds[value]


def _fits(constant: NDArray[Any], *, is_table: bool) -> bool:
    return constant.ndim == 1 if is_table else constant.ndim < 2 and constant.size == 1


def _tensor_of(node: NodeProto) -> Any:
    found = helper.get_attribute_value(node.attribute[0])
    if not isinstance(found, TensorProto):
        raise _OtherError
    return numpy_helper.to_array(found)
