"""How large the values of a graph would be: a graph of a few bytes can ask for terabytes while it is being loaded.

What a graph fixes itself is known before it runs, by ONNX's own inference of shapes, with one row in a batch. What is
computed of constants alone is computed when the graph is loaded; `folding` judges that. How large values grow with the
rows and the contents of a request cannot be known here: that is for the limits of requests.
"""

from __future__ import annotations

import math

import onnx
from onnx import ModelProto, TensorProto, TypeProto, helper

from unisono.models.judging.folding import Folding
from unisono.models.judging.limits import GraphLimits
from unisono.models.judging.refusal import refused
from unisono.models.judging.structure import graphs_of
from unisono.spec.wording import one_line, quoted

_SMALL_ELEMENTS = 4096  # tensors that may say sizes; the others are left out of what is inferred from


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
    Folding(constants, limits).judge(inferred.graph)


def _constants(model: ModelProto) -> frozenset[str]:
    """The tensors of a graph and its subgraphs that no caller can replace."""
    found: set[str] = set()
    for graph, _ in graphs_of(model.graph):
        replaceable = {one.name for one in graph.input}
        found.update(one.name for one in graph.initializer if one.name not in replaceable)
    return frozenset(found)


def _take_out_data(model: ModelProto) -> None:
    """Makes inputs of large tensors: what is inferred from the rest needs their shapes alone."""
    top = {one.name for one in model.graph.input}
    for graph, _ in graphs_of(model.graph):
        small: list[TensorProto] = []
        large: list[TensorProto] = []
        for one in graph.initializer:
            (large if math.prod(one.dims) > _SMALL_ELEMENTS else small).append(one)
        model.graph.input.extend(_as_input(one) for one in large if one.name not in top)
        del graph.initializer[:]
        graph.initializer.extend(small)


def _as_input(tensor: TensorProto) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))


def _inferred(model: ModelProto) -> ModelProto:
    try:
        onnx.checker.check_model(model)
        return onnx.shape_inference.infer_shapes(model)
    except Exception as error:  # its errors have no common class of their own
        raise refused(one_line(error), "a well-formed ONNX model") from error


def _judge_claim(name: str, kind: TypeProto, limits: GraphLimits) -> None:
    sizes = [one.dim_value for one in kind.tensor_type.shape.dim if one.HasField("dim_value")]
    if any(size < 0 for size in sizes) or math.prod(sizes) > limits.value_elements:
        seen = f"value {quoted(name)} of shape {sizes[:16]}"
        raise refused(seen, f"at most {limits.value_elements} elements")
