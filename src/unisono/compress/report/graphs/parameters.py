"""How many numbers of a graph were learnt, and how many of them are zero.

A number counts once, as what it expands to: weights that are stored packed count as the dense tensor that the runtime
makes of them, weights of 8 or 4 bits count as one parameter each, and what belongs to the form of storing (scales, zero
points, bit maps) counts nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, TensorProto, helper

from unisono.compress.report.graphs.constants import ConstantsOf, Tensor
from unisono.models.exponential import tables

_FORM = {
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "MatMulInteger": (2, 3),
    "ConvInteger": (2, 3),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "Clip": (1, 2),
    "Pad": (1, 2, 3),
    "Resize": (1, 2, 3),
    "OneHot": (1, 2),
    "Range": (0, 1, 2),
    "Pow": (1,),
}
"""Operator -> places of its inputs that hold the form of something, not what was learnt."""

_ZERO_AT = {
    "MatMulInteger": (1, 3),
    "ConvInteger": (1, 3),
    "QLinearMatMul": (3, 5),
    "QLinearConv": (3, 5),
    "DequantizeLinear": (0, 2),
}
"""Operator -> places of weights and of what stands for zero among them."""

_BIASES = {"Gemm": 2, "Conv": 2, "ConvTranspose": 2, "QLinearConv": 8}
"""Operator -> place of a bias, which may be a single number or a whole one."""

_OF_INTEGERS = ("MatMulInteger", "ConvInteger", "DynamicQuantizeLinear")
_TIMES_SCALES = ("Cast", "Mul")

LEARNT = {
    "TreeEnsemble": ("nodes_splits", "leaf_weights", "membership_values"),
    "TreeEnsembleClassifier": ("nodes_values", "class_weights"),
    "TreeEnsembleRegressor": ("nodes_values", "target_weights"),
    "LinearClassifier": ("coefficients", "intercepts"),
    "LinearRegressor": ("coefficients", "intercepts"),
    "SVMClassifier": ("support_vectors", "coefficients", "rho", "prob_a", "prob_b"),
    "SVMRegressor": ("support_vectors", "coefficients", "rho"),
    "Scaler": ("offset", "scale"),
    "TfIdfVectorizer": ("weights",),
}
"""Operator -> attributes that hold what was learnt."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Numbers that were learnt.

    count: of them.
    zeros: of these, weights that are zero. A threshold or a leaf of 0 is none: it is no weight less.
    """

    count: int
    zeros: int


@dataclass(frozen=True, slots=True)
class _Use:
    """A constant that a node reads.

    zero: the constant that says which of its values stands for zero; "" for 0 itself.
    """

    name: str
    node: NodeProto
    place: int
    zero: str


def parameters_of(constants: ConstantsOf) -> Parameters:
    """The parameters of a graph. A tensor that is read twice, or as it is and transposed, counts once."""
    uses = [use for node in constants.nodes for use in _uses(node, constants)]
    values = constants.values({name for use in uses for name in (use.name, use.zero) if name})
    makers = {output: node for node in constants.nodes for output in node.output}
    tensors: dict[tuple[frozenset[str], int], int] = {}
    for use in uses:
        value = values[use.name]
        if _is_learnt(use, value, makers):
            key = (constants.roots(use.name), value.size)
            tensors[key] = max(tensors.get(key, 0), _zeros(value, values.get(use.zero)))
    others = sum(_inside(node) for node in constants.nodes)
    return Parameters(sum(size for _, size in tensors) + others, sum(tensors.values()))


def _uses(node: NodeProto, constants: ConstantsOf) -> Iterator[_Use]:
    skipped = _FORM.get(node.op_type, ())
    weights, zero = _ZERO_AT.get(node.op_type, (-1, -1))
    for place, name in enumerate(node.input):
        if name in constants and place not in skipped:
            has_zero = place == weights and zero < len(node.input) and node.input[zero] in constants
            yield _Use(name, node, place, node.input[zero] if has_zero else "")


def _is_learnt(use: _Use, value: Tensor, makers: Mapping[str, NodeProto]) -> bool:
    is_bias = _BIASES.get(use.node.op_type) == use.place
    if value.size <= 1:
        return is_bias and value.size == 1
    if value.dtype.kind in "OUSb" or (value.dtype.kind in "iu" and value.dtype.itemsize > 1):
        return is_bias
    return not (_is_scale(use, makers) or _is_table(value))


def _is_table(value: Tensor) -> bool:
    """Whether it is one of an exponential."""
    return value.dtype == np.float64 and any(np.array_equal(value, one) for one in tables())


def _is_scale(use: _Use, makers: Mapping[str, NodeProto]) -> bool:
    """Whether it turns whole numbers back into what they stand for."""
    return use.node.op_type == "Mul" and _is_whole(use.node.input[1 - use.place], makers)


def _is_whole(name: str, makers: Mapping[str, NodeProto]) -> bool:
    """Whether a value is a sum of whole numbers, or a scale that was found on the way, times scales."""
    maker = makers.get(name)
    if maker is None or maker.op_type not in _TIMES_SCALES:
        return maker is not None and maker.op_type in _OF_INTEGERS
    return any(_is_whole(one, makers) for one in maker.input)


def _zeros(value: Tensor, zero: Tensor | None) -> int:
    if zero is None or zero.size == 0:
        return int((value == np.zeros((), value.dtype)).sum())
    if zero.size == 1:
        return int((value == zero.reshape(())).sum())
    axis = next((place for place in (value.ndim - 1, 0) if value.shape[place] == zero.size), None)
    if axis is None:
        return 0
    shape = [zero.size if place == axis else 1 for place in range(value.ndim)]
    return int((value == zero.reshape(shape)).sum())


def _inside(node: NodeProto) -> int:
    """The learnt numbers that a node holds itself."""
    given = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    return sum(_length(given[name]) for name in LEARNT.get(node.op_type, ()) if name in given)


def _length(value: object) -> int:
    return math.prod(value.dims) if isinstance(value, TensorProto) else len(value)  # type: ignore[arg-type]
