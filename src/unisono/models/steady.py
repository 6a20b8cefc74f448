"""Rewrites a graph so that a row's answer depends on that row alone, not on the batch it came in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper, shape_inference

from unisono.models.emit import Emitter
from unisono.models.shorten import shorten
from unisono.models.steady_rules import EXPONENTIALS, RULES, Rule, Site


def steady(model: ModelProto) -> ModelProto:
    """The same graph out of operators that give a row the same bits in every batch (see `steady_rules`).

    Control flow inside the graph is left as it is. Cost: a few milliseconds.
    """
    whole = _copy(model)
    _undo_detours(whole.graph)
    return _rewritten(shorten(whole, known_values(whole.graph)), RULES)


def with_steady_scores(model: ModelProto) -> ModelProto:
    """The same graph with the exponentials, sigmoids and softmaxes of float64 out of such operators.

    They are what makes probabilities of scores. The other operators that depend on the batch would be sixteen times as
    large, which is too much for images and embeddings.
    """
    return _rewritten(_copy(model), EXPONENTIALS)


def _copy(model: ModelProto) -> ModelProto:
    copied = ModelProto()
    copied.CopyFrom(model)
    return copied


def _rewritten(model: ModelProto, rules: Mapping[tuple[str, int], Rule]) -> ModelProto:
    kinds = _element_kinds(model)
    constants = known_values(model.graph)
    nodes: list[NodeProto] = []
    for index, node in enumerate(model.graph.node):
        rule = None if node.domain or not node.input else rules.get((node.op_type, kinds.get(node.input[0], 0)))
        if rule is None:
            nodes.append(node)
            continue
        emit = Emitter(f"_steady{index}_")
        answer = rule(Site(emit, node, kinds[node.input[0]], constants))
        if answer is None:
            nodes.append(node)
            continue
        emit.rename(answer, node.output[0])
        nodes.extend(emit.nodes)
        model.graph.initializer.extend(emit.initializers)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def known_values(graph: GraphProto) -> dict[str, NDArray[Any]]:
    """The constants of a graph, by name."""
    found = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            value = helper.get_attribute_value(node.attribute[0])
            if isinstance(value, TensorProto):
                found[node.output[0]] = numpy_helper.to_array(value)
    return found


def _element_kinds(model: ModelProto) -> dict[str, int]:
    graph = shape_inference.infer_shapes(model).graph
    kinds = {one.name: one.data_type for one in graph.initializer}
    for one in (*graph.input, *graph.output, *graph.value_info):
        kinds[one.name] = one.type.tensor_type.elem_type
    return kinds


def _undo_detours(graph: GraphProto) -> None:
    """ndonnx sends the cosine of a float64 through float32, although onnxruntime has it in float64."""
    makers = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        if node.op_type != "Cos" or node.input[0] not in makers:
            continue
        cast = makers[node.input[0]]
        users = [other for other in graph.node if node.output[0] in other.input]
        if cast.op_type == "Cast" and users and all(other.op_type == "Cast" for other in users):
            node.input[0] = cast.input[0]
