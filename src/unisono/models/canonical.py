"""Graphs as bytes: equal graphs are equal bytes, in every process and on every machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableSequence
from typing import TypeVar

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto

from unisono.models.emit import IR_VERSION, OPSET, OPSET_ML, finished
from unisono.spec.errors import ModelError

T = TypeVar("T")

_OPSETS = {"": OPSET, "ai.onnx": OPSET, "ai.onnx.ml": OPSET_ML}


def canonical(model: ModelProto, metadata: Mapping[str, str]) -> bytes:
    """A model as bytes: values numbered in the order of their making, without comments, dead nodes, dates or authors.

    metadata: what is kept with the graph.

    Raises ModelError if it is written in operators newer than ours.
    """
    newer = [one for one in model.opset_import if one.version > _OPSETS.get(one.domain, 0)]
    if newer:
        seen = f'operator set {newer[0].version} of "{newer[0].domain}"'
        raise ModelError(f"graph: {seen}; allowed: {_OPSETS}; use the versions of libraries that unisono names")
    graph = GraphProto()
    graph.CopyFrom(model.graph)
    _bypass(graph)
    _put_in_order(graph)
    if not any(_has_subgraph(node) for node in graph.node):
        _number_values(graph)
    _strip(graph)
    whole = finished(graph)
    whole.ir_version = IR_VERSION
    for key in sorted(metadata):
        whole.metadata_props.add(key=key, value=metadata[key])
    encoded: bytes = whole.SerializeToString(deterministic=True)
    return encoded


def metadata_of(model: ModelProto) -> dict[str, str]:
    """What was kept with the graph."""
    return {entry.key: entry.value for entry in model.metadata_props}


def _has_subgraph(node: NodeProto) -> bool:
    return any(one.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for one in node.attribute)


def _bypass(graph: GraphProto) -> None:
    """Takes out nodes that only pass a value on, but for those that give an input or a constant an output's name."""
    if any(_has_subgraph(node) for node in graph.node):
        return
    outputs = {one.name for one in graph.output}
    renamed = _made_for(graph, outputs)
    for node in graph.node:
        node.output[:] = [renamed.get(name, name) for name in node.output]
    kept = []
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        if _is_identity(node) and node.input[0] == node.output[0]:
            continue
        if _is_identity(node) and node.output[0] not in outputs:
            renamed[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    refill(graph.node, kept)


def _is_identity(node: NodeProto) -> bool:
    return bool(node.op_type == "Identity" and not node.domain)


def _made_for(graph: GraphProto, outputs: set[str]) -> dict[str, str]:
    """Values that a node makes only to be passed on as an output: they can have the output's name at once."""
    makers = {name: node for node in graph.node for name in node.output}
    found: dict[str, str] = {}
    for node in graph.node:
        if not _is_identity(node) or node.output[0] not in outputs:
            continue
        source = node.input[0]
        while source in makers and _is_identity(makers[source]) and source not in outputs:
            source = makers[source].input[0]
        if source in makers and source not in outputs and makers[source].op_type != "Constant":
            found.setdefault(source, node.output[0])
    return found


def _put_in_order(graph: GraphProto) -> None:
    """Inputs by name; nodes as the outputs need them, one after the other; none that no output needs."""
    inputs = sorted(graph.input, key=lambda one: str(one.name))
    if not any(_has_subgraph(node) for node in graph.node):
        refill(graph.node, _needed_nodes(graph))
        wanted = {name for node in graph.node for name in node.input} | {one.name for one in graph.output}
        refill(graph.initializer, [one for one in graph.initializer if one.name in wanted])
    refill(graph.input, inputs)


def _needed_nodes(graph: GraphProto) -> list[NodeProto]:
    makers = {name: place for place, node in enumerate(graph.node) for name in node.output}
    ordered: dict[int, None] = {}
    waiting = [makers[one.name] for one in reversed(graph.output) if one.name in makers]
    while waiting:
        place = waiting[-1]
        missing = [makers[name] for name in graph.node[place].input if name in makers and makers[name] not in ordered]
        if missing:
            waiting.extend(reversed(missing))
        else:
            ordered[waiting.pop()] = None
    return [graph.node[place] for place in ordered]


def refill(field: MutableSequence[T], entries: Iterable[T]) -> None:
    """Puts other entries into a field of protobuf's, which cannot be assigned; they may be from it."""
    kept = list(entries)
    del field[:]
    field.extend(kept)


def _number_values(graph: GraphProto) -> None:
    fixed = {one.name for one in (*graph.input, *graph.output)}  # an input may have a value to fall back to
    names: dict[str, str] = {"": ""}

    def number(name: str) -> str:
        return name if name in fixed else names.setdefault(name, f"_{len(names)}")

    for node in graph.node:
        node.input[:] = [number(name) for name in node.input]
        node.output[:] = [number(name) for name in node.output]
    for one in graph.initializer:
        one.name = number(one.name)
    refill(
        graph.initializer, sorted(graph.initializer, key=lambda one: (one.name in fixed, len(one.name), str(one.name)))
    )


def _strip(graph: GraphProto) -> None:
    graph.name = "unisono"
    graph.ClearField("doc_string")
    graph.ClearField("value_info")
    graph.ClearField("metadata_props")
    for node in graph.node:
        for field in ("name", "doc_string", "metadata_props"):
            node.ClearField(field)
        refill(node.attribute, sorted(node.attribute, key=lambda one: str(one.name)))
    for one in (*graph.input, *graph.output):
        one.ClearField("doc_string")
        one.ClearField("metadata_props")
