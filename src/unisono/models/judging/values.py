"""Whether each name in a graph means one value, so that all who read the graph read the same."""

from __future__ import annotations

from collections.abc import Iterator

from onnx import GraphProto

from unisono.models.judging.refusal import refused
from unisono.spec.wording import quoted


def judge_names(graph: GraphProto, outer: tuple[frozenset[str], ...] = ()) -> None:
    """Raises ModelError if a name is given to two values of a graph, or in a subgraph to another than outside of it.

    An initializer may have the name of an input: it is what the input is without a caller's.
    """
    found: set[str] = set()
    for name in _given(graph):
        if name in found or any(name in scope for scope in outer):
            raise refused(f"two values of the name {quoted(name)}", "a name for each")
        found.add(name)
    scopes = (*outer, frozenset(found))
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                judge_names(attribute.g, scopes)


def _given(graph: GraphProto) -> Iterator[str]:
    inputs = {one.name for one in graph.input}
    defaults: set[str] = set()
    for one in graph.input:
        yield one.name
    for tensor in graph.initializer:
        if tensor.name not in inputs or tensor.name in defaults:
            yield tensor.name
        defaults.add(tensor.name)
    for node in graph.node:
        yield from filter(None, node.output)
