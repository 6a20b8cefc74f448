"""Writes nodes of a graph, one call a node."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

OPSET = 21
OPSET_ML = 5
IR_VERSION = 10

_KINDS = {
    np.dtype(np.float64): TensorProto.DOUBLE,
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.uint8): TensorProto.UINT8,
    np.dtype(np.bool_): TensorProto.BOOL,
    np.dtype(object): TensorProto.STRING,
}


class Emitter:
    """Nodes and constants in the order of their making.

    prefix: begins the names of all values made here, so that they differ from those of the graph they go into.

    >>> emit = Emitter()
    >>> doubled = emit("Add", "x", "x")
    >>> [node.op_type for node in emit.nodes]
    ['Add']
    """

    __slots__ = ("_constants", "_prefix", "initializers", "nodes")

    def __init__(self, prefix: str = "_") -> None:
        self._prefix = prefix
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []

    def __call__(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Adds a node with one output; returns the output's name."""
        output = f"{self._prefix}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def rename(self, value: str, name: str) -> None:
        """Adds a node that gives a value an output's name."""
        self.nodes.append(helper.make_node("Identity", [value], [name]))

    def constant(self, value: NDArray[Any] | np.generic | float) -> str:
        """The name of a constant; equal constants are one."""
        array = np.asarray(value)
        key = (
            str(array.dtype),
            array.shape,
            repr(array.tolist()).encode() if array.dtype == object else array.tobytes(),
        )
        if key not in self._constants:
            name = f"{self._prefix}c{len(self._constants)}"
            self._constants[key] = name
            self.initializers.append(numpy_helper.from_array(array, name))
        return self._constants[key]

    def model(self, inputs: list[ValueInfoProto], outputs: list[ValueInfoProto]) -> ModelProto:
        """The whole as a model."""
        graph: GraphProto = helper.make_graph(self.nodes, "unisono", inputs, outputs, self.initializers)
        return finished(graph)


def finished(graph: GraphProto) -> ModelProto:
    """A graph as a model of the operator sets that all our graphs have."""
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", OPSET_ML)]
    model: ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    return model


def value(name: str, tensor: type[np.generic] | type[object], *shape: int | str) -> ValueInfoProto:
    """An input or output: its name, type and shape, where "N" is the number of rows."""
    return helper.make_tensor_value_info(name, _KINDS[np.dtype(tensor)], list(shape))
