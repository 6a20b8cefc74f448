"""The same graph with its sums in another order: what another machine's matrix products may do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from unisono.models.steady import known_values

Tensor = NDArray[Any]

_AXES = {"MatMul": (-1, 0), "Gemm": (1, 0), "Conv": (1, 1)}
"""Operator -> the axis of its first input, and of its weights, along which it sums."""


def reordered(model: ModelProto) -> ModelProto | None:
    """A graph that sums every product with known weights backwards; None if it has none.

    Each answer is the same in real numbers; in floats it differs as much as sums that are ordered in other ways do.
    """
    whole = ModelProto()
    whole.CopyFrom(model)
    known = known_values(whole.graph)
    nodes: list[NodeProto] = []
    for number, node in enumerate(whole.graph.node):
        if _can_be_reordered(node, known):
            nodes += _backwards(whole, node, known[node.input[1]], f"_back{number}")
        nodes.append(node)
    if len(nodes) == len(whole.graph.node):
        return None
    del whole.graph.node[:]
    whole.graph.node.extend(nodes)
    return whole


def _can_be_reordered(node: NodeProto, known: dict[str, Tensor]) -> bool:
    weights = known.get(node.input[1]) if node.op_type in _AXES and len(node.input) > 1 else None
    if weights is None or weights.dtype.kind != "f" or weights.ndim < 2 or node.input[0] in known:
        return False
    attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    if node.op_type == "MatMul":
        return weights.ndim == 2
    return not attributes.get("transA") and attributes.get("group", 1) == 1


def _backwards(model: ModelProto, node: NodeProto, weights: Tensor, name: str) -> list[NodeProto]:
    """Turns round what a node sums over; returns the node that turns its first input."""
    axis, own_axis = _AXES[node.op_type]
    if node.op_type == "Gemm" and any(one.name == "transB" and one.i for one in node.attribute):
        own_axis = 1
    order = np.arange(weights.shape[own_axis])[::-1].astype(np.int64)
    turned = np.ascontiguousarray(np.flip(weights, own_axis))
    model.graph.initializer.extend(
        [numpy_helper.from_array(order, f"{name}_order"), numpy_helper.from_array(turned, f"{name}_weights")]
    )
    gather: NodeProto = helper.make_node("Gather", [node.input[0], f"{name}_order"], [f"{name}_input"], axis=axis)
    node.input[0], node.input[1] = f"{name}_input", f"{name}_weights"
    return [gather]
