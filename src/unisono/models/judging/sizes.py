"""How large the values of a graph would be: a graph of a few bytes can ask for terabytes while it is being loaded.

What a graph fixes itself is known before it runs, by ONNX's own inference of shapes, with one row in a batch. A value
that is computed of constants alone is computed when the graph is loaded, so its size has to be known. How large values
grow with the rows and the contents of a request cannot be known here: that is for the limits of requests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set

import onnx
from onnx import GraphProto, ModelProto, TensorProto, TypeProto, helper

from unisono.models.judging.limits import GraphLimits
from unisono.models.judging.refusal import refused
from unisono.models.judging.structure import graphs_of
from unisono.spec.wording import one_line, quoted

_SMALL_ELEMENTS = 4096  # tensors that may say sizes; the others are left out of what is inferred from

Shapes = Mapping[str, TypeProto]


def judge_sizes(model: ModelProto, limits: GraphLimits) -> None:
    """Raises ModelError for a graph that is not well-formed, or that fixes too large a value.

    model: is used up: its large tensors are taken out of it.
    """
    constants = _constants(model)
    _take_out_data(model)
    inferred = _inferred(model)
    for graph, _ in graphs_of(inferred.graph):
        for one in (*graph.input, *graph.output, *graph.value_info):
            _judge_claim(one.name, one.type, limits)
    _judge_constants(inferred.graph, constants, {})


def _constants(model: ModelProto) -> frozenset[str]:
    """The tensors of a graph and its subgraphs that no caller can replace; no two have one name."""
    return frozenset(
        one.name
        for graph, _ in graphs_of(model.graph)
        for one in graph.initializer
        if one.name not in {given.name for given in graph.input}
    )


def _take_out_data(model: ModelProto) -> None:
    """Makes inputs of large tensors: what is inferred from the rest needs their shapes alone."""
    for graph, _ in graphs_of(model.graph):
        replaceable = {one.name for one in graph.input}
        small, large = [], []
        for one in graph.initializer:
            (large if math.prod(one.dims) > _SMALL_ELEMENTS else small).append(one)
        graph.input.extend(_as_input(one) for one in large if one.name not in replaceable)
        del graph.initializer[:]
        graph.initializer.extend(small)


def _as_input(tensor: TensorProto) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))


def _inferred(model: ModelProto) -> ModelProto:
    try:
        onnx.checker.check_model(model)
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:  # its errors have no common class of their own
        raise refused(one_line(error), "a well-formed ONNX model") from error


def _judge_claim(name: str, kind: TypeProto, limits: GraphLimits) -> None:
    sizes = [one.dim_value for one in kind.tensor_type.shape.dim if one.HasField("dim_value")]
    if any(size < 0 for size in sizes) or math.prod(sizes) > limits.value_elements:
        seen = f"value {quoted(name)} of shape {sizes[:16]}"
        raise refused(seen, f"at most {limits.value_elements} elements")


def _judge_constants(graph: GraphProto, constants: Set[str], outer: Shapes) -> None:
    """What is computed of constants has a size that is known, and so was judged."""
    shapes = {**outer, **{one.name: one.type for one in (*graph.input, *graph.output, *graph.value_info)}}
    known = set(constants)
    for node in graph.node:
        subgraphs = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
        for subgraph in subgraphs:
            _judge_constants(subgraph, known, shapes)
        if subgraphs or not all(name in known for name in node.input if name):
            continue
        for name in filter(None, node.output):
            if not _is_complete(shapes.get(name)) and node.op_type != "Constant":
                seen = f"value {quoted(name)}, which {node.op_type} makes of constants, of a size that cannot be known"
                raise refused(seen, "values of known size; compute it before the graph is made")
            known.add(name)


def _is_complete(kind: TypeProto | None) -> bool:
    if kind is None or not kind.tensor_type.HasField("shape"):
        return False
    return all(one.HasField("dim_value") for one in kind.tensor_type.shape.dim)
