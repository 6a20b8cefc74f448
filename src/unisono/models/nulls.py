"""Where a derived value is null: where any column that it was made of is."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import GraphProto, NodeProto

from unisono.models.names import FEATURES, is_null_name, null_name

Columns = frozenset[str]


def columns_behind(graph: GraphProto) -> Mapping[str, tuple[str, ...]]:
    """For each output, the inputs without whose values it has none.

    `Where(x.null, other, x)` does not need x: that is how a transform fills a null. A feature's NaN is its null, so
    that IsNaN of it says the same.
    """
    names = [one.name for one in graph.input if not is_null_name(one.name)]
    behind: dict[str, Columns] = {name: frozenset((name,)) for name in names}
    masks = _masks(graph)
    for node in graph.node:
        needed = frozenset() if node.output[0] in masks else _needed(node, behind, masks)
        for output in node.output:
            behind[output] = needed
    return {one.name: tuple(sorted(behind.get(one.name, ()))) for one in graph.output}


def _masks(graph: GraphProto) -> dict[str, tuple[str, bool]]:
    """Value -> the null input that it equals, and whether it is turned round."""
    masks = {one.name: (one.name, False) for one in graph.input if is_null_name(one.name)}
    for node in graph.node:
        first = node.input[0] if node.input else ""
        if node.op_type == "IsNaN" and first.startswith(f"{FEATURES}."):
            masks[node.output[0]] = (null_name(first), False)
        elif node.op_type == "Not" and first in masks:
            mask, turned = masks[first]
            masks[node.output[0]] = (mask, not turned)
    return masks


def _needed(node: NodeProto, behind: Mapping[str, Columns], masks: Mapping[str, tuple[str, bool]]) -> Columns:
    def of(name: str) -> Columns:
        return behind.get(name, frozenset())

    if node.op_type == "Where" and node.input[0] in masks:
        mask, turned = masks[node.input[0]]
        filling, column = (node.input[2], node.input[1]) if turned else (node.input[1], node.input[2])
        return of(filling) | frozenset(name for name in of(column) if null_name(name) != mask)
    return frozenset().union(*map(of, node.input))
