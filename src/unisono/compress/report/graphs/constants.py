"""What is constant in a graph: initialisers, and whatever is computed from nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto, helper, inliner, numpy_helper

from unisono.models.session import Runner

Tensor = NDArray[Any]

_DRAWN = ("RandomNormal", "RandomUniform", "Multinomial", "Bernoulli")


class ConstantsOf:
    """The constants of a graph.

    graph: an ONNX model.
    """

    def __init__(self, graph: bytes) -> None:
        self.model: onnx.ModelProto = inliner.inline_local_functions(onnx.load_model_from_string(graph))
        inputs = {one.name for one in self.model.graph.input}
        self._stored = {one.name: one for one in self.model.graph.initializer if one.name not in inputs}
        self._makers: dict[str, NodeProto] = {}
        self._roots: dict[str, frozenset[str]] = {name: frozenset([name]) for name in self._stored}
        self.nodes: list[NodeProto] = []
        for node in self.model.graph.node:
            if self._is_constant(node):
                self._take(node)
            else:
                self.nodes.append(node)

    def _is_constant(self, node: NodeProto) -> bool:
        if has_graphs(node) or node.op_type in _DRAWN:
            return False
        return all(name in self._roots for name in node.input if name)

    def _take(self, node: NodeProto) -> None:
        parts = [self._roots[name] for name in node.input if name]
        # A node without inputs holds its value itself.
        roots = frozenset().union(*parts) if parts else frozenset([node.output[0]])
        for name in node.output:
            self._roots[name], self._makers[name] = roots, node

    def __contains__(self, name: str) -> bool:
        return name in self._roots

    def roots(self, name: str) -> frozenset[str]:
        """The stored values that a constant is computed from."""
        return self._roots[name]

    def stored_bytes(self, name: str) -> int:
        """How many bytes the graph has of what a constant is computed from."""
        return sum(self._bytes(root) for root in self._roots[name])

    def _bytes(self, root: str) -> int:
        if root in self._stored:  # numbers of 4 bits take a byte each in numpy, but not here
            return self._stored[root].ByteSize()
        return sum(one.t.ByteSize() for one in self._makers[root].attribute if one.type == AttributeProto.TENSOR)

    def values(self, names: Collection[str]) -> Mapping[str, Tensor]:
        """What some constants are. Numbers of 4 bits come as numpy has them."""
        found = {name: numpy_helper.to_array(self._stored[name]) for name in names if name in self._stored}
        made = [name for name in dict.fromkeys(names) if name not in self._stored]
        if made:
            runner = Runner(self._part(made).SerializeToString())
            found |= dict(zip(runner.outputs, runner({}), strict=True))
        return found

    def _part(self, names: Collection[str]) -> onnx.ModelProto:
        """The nodes that compute some constants, as a model of their own."""
        nodes = list(self._needed(names))
        needed = {name for node in nodes for name in node.input}
        stored = [self._stored[name] for name in needed if name in self._stored]
        outputs = [onnx.ValueInfoProto(name=name) for name in names]
        part = helper.make_graph(nodes, "constants", [], outputs, stored)
        return helper.make_model(part, opset_imports=self.model.opset_import, ir_version=self.model.ir_version)

    def _needed(self, names: Collection[str]) -> Iterator[NodeProto]:
        wanted = set(names)
        chosen = []
        for node in reversed([one for one in self.model.graph.node if one.output and one.output[0] in self._makers]):
            if wanted.intersection(node.output):
                chosen.append(node)
                wanted.update(node.input)
        return reversed(chosen)


def has_graphs(node: NodeProto) -> bool:
    """Whether a node has graphs inside: a loop or a condition."""
    return any(one.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for one in node.attribute)
