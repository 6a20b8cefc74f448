"""Which operators give the same bits on every machine.

A graph of these alone does; with any other, machines may differ in the last places, since nobody fixes the order of a
sum inside a matrix product, nor the last bit of an exponential. IEEE 754 fixes +, -, *, / and the square root, each
rounded once; what rearranges, compares, selects or counts has nothing to round. Trees compare and add up in order.
Products of 8-bit integers are exact as long as the weights are unsigned or of 7 bits: else old x86 saturates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, shape_inference

from unisono.models.steady import known_values
from unisono.models.verifying.clipped import clipped

_MOVES = """
    Cast CastLike CenterCropPad Compress Concat Constant ConstantOfShape DepthToSpace Expand EyeLike Flatten Gather
    GatherElements GatherND Identity NonZero OneHot Pad Reshape ReverseSequence ScatterElements ScatterND Shape Size
    Slice SpaceToDepth Split Squeeze Tile Transpose Trilu Unique Unsqueeze Where Dropout MaxPool GlobalMaxPool
"""
_COMPARES = """
    And ArgMax ArgMin Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Max Min Not Or ReduceMax ReduceMin
    TopK Xor Clip Hardmax
"""
_ROUNDS_ONCE = """
    Abs Add BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Ceil CumSum DequantizeLinear Div DynamicQuantizeLinear
    Floor LeakyRelu Mod Mul Neg PRelu QuantizeLinear Relu Round Sign Sub ThresholdedRelu
"""
_COUNTS = """
    ArrayFeatureExtractor Binarizer CategoryMapper FeatureVectorizer Imputer LabelEncoder OneHotEncoder TreeEnsemble
"""
_TEXTS = "RegexFullMatch StringConcat StringSplit TfIdfVectorizer"

EVERYWHERE: Mapping[str, frozenset[str]] = {
    "": frozenset(" ".join((_MOVES, _COMPARES, _ROUNDS_ONCE, _TEXTS)).split()),
    "ai.onnx.ml": frozenset(_COUNTS.split()),
}
"""Domain -> operators that give the same bits everywhere, whatever they are given."""

_ALIASES = {"ai.onnx": ""}
_WHOLE = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "BOOL")
_SUMS = ("MatMul", "Gemm", "Mean", "Range", "ReduceProd", "ReduceSum", "Sum", "Pow", "ReduceL1", "ReduceSumSquare")
_SAFE_BITS = 63


def unsure_operators(model: ModelProto) -> tuple[str, ...]:
    """The operators of a graph that may give other bits on another machine, each with its type; none: an exact graph.

    >>> from unisono.models.emit import Emitter, value
    >>> emit = Emitter()
    >>> emit.rename(emit("Exp", "x"), "y")
    >>> unsure_operators(emit.model([value("x", np.float64, "N")], [value("y", np.float64, "N")]))
    ('Exp of DOUBLE',)
    """
    kinds = _element_kinds(model)
    found = {
        _shown(node, kinds) for graph in _graphs(model.graph) for node in _unsure(graph, kinds, _known(graph, kinds))
    }
    return tuple(sorted(found))


def _known(graph: GraphProto, kinds: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """Constants; and for 8-bit numbers that are clipped when the graph is run, the least and the most of them."""
    known = known_values(graph)
    return {**clipped(graph, kinds, known), **known}


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from _graphs(attribute.g)


def _element_kinds(model: ModelProto) -> dict[str, str]:
    """Value -> the name of its element type, where it is known."""
    graph = shape_inference.infer_shapes(model).graph
    kinds = {one.name: one.data_type for one in graph.initializer}
    for one in (*graph.input, *graph.output, *graph.value_info):
        kinds[one.name] = one.type.tensor_type.elem_type
    return {name: TensorProto.DataType.Name(kind) for name, kind in kinds.items()}


def _unsure(graph: GraphProto, kinds: Mapping[str, str], known: Mapping[str, NDArray[Any]]) -> Iterator[NodeProto]:
    for node in graph.node:
        domain = _ALIASES.get(node.domain, node.domain)
        rule = _RULES.get(node.op_type)
        is_sure = node.op_type in EVERYWHERE.get(domain, ()) or (rule is not None and rule(node, kinds, known))
        if not is_sure:
            yield node


def _shown(node: NodeProto, kinds: Mapping[str, str]) -> str:
    kind = next((kinds[name] for name in node.input if name in kinds), "unknown")
    return f"{node.op_type} of {kind}"


Rule = Callable[[NodeProto, Mapping[str, str], Mapping[str, NDArray[Any]]], bool]


def _is_whole(node: NodeProto, kinds: Mapping[str, str], known: Mapping[str, NDArray[Any]]) -> bool:
    """Whether it adds whole numbers, in any order."""
    return kinds.get(node.input[0]) in _WHOLE


def _is_double(node: NodeProto, kinds: Mapping[str, str], known: Mapping[str, NDArray[Any]]) -> bool:
    """In float32, vector code takes the square root from an estimate."""
    return kinds.get(node.input[0]) == "DOUBLE"


def _weights_at(place: int) -> Rule:
    """Whether an 8-bit product is of unsigned numbers with weights that are unsigned, or known to have 7 bits."""

    def rule(node: NodeProto, kinds: Mapping[str, str], known: Mapping[str, NDArray[Any]]) -> bool:
        weights = known.get(node.input[place])
        if kinds.get(node.input[0]) != "UINT8":
            return False
        if weights is None:
            return kinds.get(node.input[place]) == "UINT8"
        return weights.dtype == np.uint8 or bool((np.abs(weights.astype(np.int64)) <= _SAFE_BITS).all())

    return rule


def _has_plain_trees(node: NodeProto, kinds: Mapping[str, str], known: Mapping[str, NDArray[Any]]) -> bool:
    """Trees of the older operators, as long as no exponential follows them."""
    attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    return bool(attributes.get("post_transform", b"NONE") == b"NONE")


def _holds_others(node: NodeProto, kinds: Mapping[str, str], known: Mapping[str, NDArray[Any]]) -> bool:
    """It does nothing but run its subgraphs, which are looked at by themselves."""
    return True


_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_SUMS, _is_whole),
    **dict.fromkeys(("If", "Loop", "Scan"), _holds_others),
    **dict.fromkeys(("TreeEnsembleClassifier", "TreeEnsembleRegressor"), _has_plain_trees),
    "Sqrt": _is_double,
    "MatMulInteger": _weights_at(1),
    "ConvInteger": _weights_at(1),
    "QLinearMatMul": _weights_at(3),
    "QLinearConv": _weights_at(3),
}
"""Operator -> when it gives the same bits everywhere."""
