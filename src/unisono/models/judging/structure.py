"""Judges what a parsed graph is made of: versions, operators, subgraphs, tensors."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping

import numpy as np
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from unisono.models.emit import IR_VERSION, OPSET, OPSET_ML
from unisono.models.judging.limits import GraphLimits
from unisono.models.judging.nodes import judge_node, judge_type
from unisono.models.judging.operators import OPERATORS, REFUSED
from unisono.models.judging.refusal import refused
from unisono.models.judging.tensors import judge_tensor
from unisono.models.judging.values import judge_names
from unisono.spec.wording import listing, quoted

_OLDEST_IR = 8
_VERSIONS: Mapping[str, range] = {"": range(13, OPSET + 1), "ai.onnx.ml": range(3, OPSET_ML + 1)}
_ALIASES = {"ai.onnx": ""}
_WITH_SUBGRAPHS = ("If", "Loop", "Scan")


def judge_structure(model: ModelProto, limits: GraphLimits) -> None:
    """Raises ModelError, with the reason, for a graph with something in it that is not allowed."""
    versions = _judge_versions(model)
    nodes = 0
    for graph, depth in graphs_of(model.graph):
        if depth > limits.subgraphs:
            raise refused("subgraphs too deep in each other", f"{limits.subgraphs} levels")
        nodes += len(graph.node)
        if nodes > limits.nodes:
            raise refused(f"{nodes} operators or more", f"at most {limits.nodes}")
        for tensor in graph.initializer:
            judge_tensor(tensor, limits)
        for value in (*graph.input, *graph.output, *graph.value_info):
            judge_type(value.type.tensor_type.elem_type)
        for node in graph.node:
            _judge_node(node, versions, limits)
    judge_names(model.graph)
    _judge_loops(model.graph, ChainMap(), limits.loop_trips)


def graphs_of(graph: GraphProto, depth: int = 0) -> Iterator[tuple[GraphProto, int]]:
    """A graph and all of its subgraphs, each with how deep it is."""
    yield graph, depth
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs_of(attribute.g, depth + 1)


def _judge_versions(model: ModelProto) -> dict[str, int]:
    """Domain -> number of its set of operators."""
    if not _OLDEST_IR <= model.ir_version <= IR_VERSION:
        raise refused(f"version {model.ir_version} of the format", f"{_OLDEST_IR} to {IR_VERSION}")
    found: dict[str, int] = {}
    for one in model.opset_import:
        domain = _ALIASES.get(one.domain, one.domain)
        if domain not in _VERSIONS:
            raise refused(f"operators of the domain {quoted(domain)}", f"those of ONNX itself: {_shown(OPERATORS)}")
        if one.version not in _VERSIONS[domain]:
            known = _VERSIONS[domain]
            raise refused(f"operator set {one.version} of {quoted(domain)}", f"{known.start} to {known.stop - 1}")
        if domain in found:
            raise refused(f"two operator sets of {quoted(domain)}", "one")
        found[domain] = one.version
    return found


def _judge_node(node: NodeProto, versions: Mapping[str, int], limits: GraphLimits) -> None:
    domain = _ALIASES.get(node.domain, node.domain)
    if domain not in OPERATORS:
        seen = f"operator {quoted(node.op_type)} of the domain {quoted(node.domain)}"
        raise refused(seen, f"those of ONNX itself: {_shown(OPERATORS)}")
    if node.op_type not in OPERATORS[domain]:
        why = REFUSED.get(node.op_type, "is not known")
        raise refused(f"operator {quoted(node.op_type)}, which {why}", "operators that answer by their inputs alone")
    for attribute in node.attribute:
        _judge_attribute(node, attribute, limits)
    judge_node(node, domain, versions.get(domain, 0))


def _judge_attribute(node: NodeProto, attribute: AttributeProto, limits: GraphLimits) -> None:
    place = f"attribute {quoted(attribute.name)} of {node.op_type}"
    held = [field for kind, field in _FIELDS.items() if kind != attribute.type and _has(attribute, field)]
    if attribute.type not in _FIELDS or held:
        raise refused(f"{place} holds something else than it says", f"one of {listing(_FIELDS.values())}")
    if attribute.type == AttributeProto.TENSOR:
        judge_tensor(attribute.t, limits)
    if attribute.type == AttributeProto.GRAPH and node.op_type not in _WITH_SUBGRAPHS:
        raise refused(f"{place} is a graph", f"graphs in {listing(_WITH_SUBGRAPHS)} only")


_FIELDS: Mapping[int, str] = {
    AttributeProto.FLOAT: "f",
    AttributeProto.INT: "i",
    AttributeProto.STRING: "s",
    AttributeProto.TENSOR: "t",
    AttributeProto.GRAPH: "g",
    AttributeProto.FLOATS: "floats",
    AttributeProto.INTS: "ints",
    AttributeProto.STRINGS: "strings",
}


def _has(attribute: AttributeProto, field: str) -> bool:
    return bool(len(getattr(attribute, field))) if field.endswith("s") and field != "s" else attribute.HasField(field)


def _judge_loops(graph: GraphProto, outer: ChainMap[str, int], left: int) -> None:
    """A Loop says how often it goes round at most, by a constant: else it could go on for ever.

    left: how often a Loop may go round here; what is inside of another goes round as often as that again.
    """
    known = outer.new_child(_whole_numbers(graph))
    for node in graph.node:
        trips = 1
        if node.op_type == "Loop":
            trips = _trips(node, known)
            if trips > left:
                raise refused(f"a Loop that may go round {trips} times", f"a constant of at most {left} here")
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _judge_loops(attribute.g, known, left // max(trips, 1))


def _trips(node: NodeProto, known: Mapping[str, int]) -> int:
    trips = known.get(node.input[0] if node.input else "")
    if trips is None:
        raise refused("a Loop that may go round for ever", "a constant that says how often at most")
    return trips


def _whole_numbers(graph: GraphProto) -> dict[str, int]:
    """The constants of a graph that are one int64 and that no caller can replace, by name."""
    replaceable = {one.name for one in graph.input}
    tensors = [(one.name, one) for one in graph.initializer if one.name not in replaceable]
    for node in graph.node:
        if node.op_type == "Constant" and len(node.output) == 1 and len(node.attribute) == 1:
            tensors.append((node.output[0], node.attribute[0].t))
    return {name: int(_array(one)) for name, one in tensors if _is_one_number(one)}


def _is_one_number(tensor: TensorProto) -> bool:
    return tensor.data_type == TensorProto.INT64 and list(tensor.dims) in ([], [1])


def _array(tensor: TensorProto) -> np.int64:
    number: np.int64 = numpy_helper.to_array(tensor).reshape(-1)[0]
    return number


def _shown(domains: Mapping[str, object]) -> str:
    return listing(quoted(domain) for domain in domains)
