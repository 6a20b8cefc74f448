"""A graph with what is known of its values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, shape_inference

from unisono.models.steady import known_values

FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE)
GELU_LEAST = -0.18
"""Below all that GELU gives, with room for an approximation."""

_PASSING = ("Reshape", "Flatten", "Transpose", "MaxPool", "GlobalMaxPool", "Squeeze", "Unsqueeze", "Gather", "Identity")
_LEAST: Mapping[str, float] = {"Relu": 0.0, "Sigmoid": 0.0, "Softmax": 0.0, "Gelu": GELU_LEAST}


@dataclass(frozen=True, slots=True)
class Reading:
    """Of one graph.

    constants: name -> value.
    kinds:     name -> element type of ONNX.
    shapes:    name -> sides; None for one that is not known before it is run.
    makers:    name -> the node that makes it.
    rows:      name -> how long its first axis is, as a number or a word; only equal ones are known to be equal.
    """

    model: ModelProto
    constants: Mapping[str, NDArray[Any]]
    kinds: Mapping[str, int]
    shapes: Mapping[str, tuple[int | None, ...]]
    makers: Mapping[str, NodeProto]
    rows: Mapping[str, str]

    def is_float(self, name: str) -> bool:
        """Whether it is made of float32 or float64, and no constant."""
        return self.kinds.get(name, 0) in FLOATS and name not in self.constants

    def rank(self, name: str) -> int | None:
        """How many axes it has, if that is known."""
        shape = self.shapes.get(name)
        return None if shape is None else len(shape)

    def least(self, name: str) -> float | None:
        """A number that no number of it is below, as far as its makers say."""
        node = self.makers.get(name)
        if node is None:
            return None
        if node.op_type in _PASSING:
            return self.least(node.input[0])
        if node.op_type == "Clip" and len(node.input) > 1 and node.input[1] in self.constants:
            low = float(self.constants[node.input[1]].item())
            return low if low >= 0 else None
        return _LEAST.get(node.op_type)


def read(graph: bytes) -> Reading:
    """What is known of a graph's values."""
    model = onnx.load_model_from_string(graph)
    inferred = shape_inference.infer_shapes(model, data_prop=True).graph
    told = [*inferred.input, *inferred.output, *inferred.value_info]
    constants = known_values(model.graph)
    kinds = {one.name: one.type.tensor_type.elem_type for one in told}
    kinds |= {name: helper.np_dtype_to_tensor_dtype(one.dtype) for name, one in constants.items()}
    shapes = {one.name: _sides(one) for one in told if one.type.tensor_type.HasField("shape")}
    shapes |= {name: tuple(one.shape) for name, one in constants.items()}
    makers = {name: node for node in model.graph.node for name in node.output}
    rows = {one.name: _rows(one) for one in told if _rows(one)}
    return Reading(model, constants, kinds, shapes, makers, rows)


def _rows(one: onnx.ValueInfoProto) -> str:
    sides = one.type.tensor_type.shape.dim
    return str(sides[0].dim_param or sides[0].dim_value or "") if sides else ""


def _sides(one: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    return tuple(side.dim_value if side.HasField("dim_value") else None for side in one.type.tensor_type.shape.dim)


def attributes_of(node: NodeProto) -> dict[str, Any]:
    """A node's attributes by name."""
    return {one.name: helper.get_attribute_value(one) for one in node.attribute}


def last_axis(node: NodeProto, reading: Reading, usual: int = -1) -> bool:
    """Whether a node works along the last axis of its first input."""
    axis = attributes_of(node).get("axis", usual)
    rank = reading.rank(node.input[0])
    return bool(axis == -1 or (rank is not None and axis == rank - 1))


def float32(array: NDArray[Any]) -> NDArray[np.float32]:
    """The same numbers in float32."""
    return np.asarray(array, np.float32)
