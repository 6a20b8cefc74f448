"""Graphs as bytes: equal graphs are equal bytes, in every process and on every machine."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from unisono.models.emit import IR_VERSION, finished


def canonical(model: ModelProto, metadata: Mapping[str, str]) -> bytes:
    """A model as bytes: values numbered in the order of their making, without comments, dead nodes, dates or authors.

    metadata: what is kept with the graph.
    """
    graph = GraphProto()
    graph.CopyFrom(model.graph)
    _bypass(graph)
    _drop_unused(graph)
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
    """Takes out the nodes that only pass a value on, but for those that give an input or a constant an output's name."""
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
    del graph.node[:]
    graph.node.extend(kept)


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


def _drop_unused(graph: GraphProto) -> None:
    if any(_has_subgraph(node) for node in graph.node):
        return
    wanted = {one.name for one in graph.output}
    kept = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    initializers = [one for one in graph.initializer if one.name in wanted]
    del graph.initializer[:]
    graph.initializer.extend(initializers)


def _number_values(graph: GraphProto) -> None:
    fixed = {one.name for one in (*graph.input, *graph.output)}
    names: dict[str, str] = {"": ""}

    def number(name: str) -> str:
        return name if name in fixed else names.setdefault(name, f"_{len(names)}")

    for node in graph.node:
        node.input[:] = [number(name) for name in node.input]
        node.output[:] = [number(name) for name in node.output]
    for one in graph.initializer:
        one.name = number(one.name)
    initializers: list[TensorProto] = sorted(graph.initializer, key=lambda one: int(one.name[1:]))
    del graph.initializer[:]
    graph.initializer.extend(initializers)


def _strip(graph: GraphProto) -> None:
    graph.name = "unisono"
    graph.ClearField("doc_string")
    graph.ClearField("value_info")
    graph.ClearField("metadata_props")
    for node in graph.node:
        for field in ("name", "doc_string", "metadata_props"):
            node.ClearField(field)
        attributes = sorted(node.attribute, key=lambda one: one.name)
        del node.attribute[:]
        node.attribute.extend(attributes)
    for one in (*graph.input, *graph.output):
        one.ClearField("doc_string")
        one.ClearField("metadata_props")
