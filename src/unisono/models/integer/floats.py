"""Finds numbers that are no whole numbers in a graph."""

from __future__ import annotations

from collections.abc import Iterator

from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, shape_inference

_WHOLE = frozenset(
    getattr(TensorProto, kind)
    for kind in ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "INT4", "UINT4", "BOOL")
)


def float_operators(model: ModelProto) -> list[str]:
    """The values of a graph whose type is not that of whole numbers, or is not known, each with its operator.

    Every input, constant and output of every node is looked at, those of subgraphs too; none: the graph computes with
    whole numbers only.
    """
    inferred = shape_inference.infer_shapes(model, strict_mode=True)
    return list(dict.fromkeys(_in(inferred.graph, {})))


def _in(graph: GraphProto, outer: dict[str, int]) -> Iterator[str]:
    kinds = {**outer, **{one.name: one.data_type for one in graph.initializer}}
    for one in (*graph.input, *graph.output, *graph.value_info):
        kinds[one.name] = one.type.tensor_type.elem_type
    for node in graph.node:
        for name in filter(None, (*node.input, *node.output)):
            kind = kinds.get(name, TensorProto.UNDEFINED)
            if kind not in _WHOLE:
                yield f"{node.op_type}: {name} is {TensorProto.DataType.Name(kind)}"
        for attribute in node.attribute:
            if attribute.type in (AttributeProto.FLOAT, AttributeProto.FLOATS):
                yield f"{node.op_type}: {attribute.name} is a FLOAT"
            if attribute.type == AttributeProto.GRAPH:
                yield from _in(attribute.g, kinds)
