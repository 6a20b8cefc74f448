"""What onnxruntime would compute while it loads a graph: whatever depends on constants alone.

It does so without asking how long that takes or how large the result is, so each such value has to be of a known size,
of numbers, and made by an operator whose cost the sizes say. Constant are initializers, the outputs of Constant, the
sizes of values of a fixed shape, what an If with a constant condition gives on, and what is computed of those.
"""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Set

from onnx import GraphProto, NodeProto, TensorProto, TypeProto

from unisono.models.judging.limits import GraphLimits
from unisono.models.judging.operators import CHEAP, MOVING
from unisono.models.judging.refusal import refused
from unisono.spec.wording import quoted

_SIZES_OF_VALUES = ("Shape", "Size")
_STEP = "compute it before the graph is made"


class Folding:
    """One walk through a graph whose shapes are inferred.

    constants: names of the tensors that are data and no caller can replace; every name means one value.
    """

    def __init__(self, constants: Set[str], limits: GraphLimits) -> None:
        self._constant = set(constants)
        self._limits = limits
        self._made = self._read = 0

    def judge(self, graph: GraphProto, outer: ChainMap[str, TypeProto] | None = None) -> None:
        """Raises ModelError for something that must not be computed while a graph is loaded."""
        own = {one.name: one.type for one in (*graph.input, *graph.output, *graph.value_info)}
        shapes = (outer or ChainMap()).new_child(own)
        for node in graph.node:
            branches = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
            for branch in branches:
                self.judge(branch, shapes)
            if branches:
                self._constant.update(self._passed_on(node, branches))
            elif self._is_folded(node, shapes):
                self._judge_folded(node, shapes)
                self._constant.update(filter(None, node.output))

    def _is_folded(self, node: NodeProto, shapes: ChainMap[str, TypeProto]) -> bool:
        if node.op_type in _SIZES_OF_VALUES and _elements(shapes.get(node.input[0])) is not None:
            return True
        return all(name in self._constant for name in node.input if name)

    def _passed_on(self, node: NodeProto, branches: list[GraphProto]) -> list[str]:
        """The outputs of an If, with a condition that is constant, that are constant in a branch."""
        if node.op_type != "If" or node.input[0] not in self._constant:
            return []
        return [
            name
            for branch in branches
            for name, inner in zip(node.output, branch.output, strict=False)
            if inner.name in self._constant
        ]

    def _judge_folded(self, node: NodeProto, shapes: ChainMap[str, TypeProto]) -> None:
        if node.op_type == "Constant":  # its data is there
            return
        names = [name for name in node.output if name]
        seen = f"value {quoted(names[0] if names else '')}, which {node.op_type} makes of constants"
        made = [_elements(shapes.get(name)) for name in names]
        if None in made:
            raise refused(f"{seen}, of a size that cannot be known", f"values of known size; {_STEP}")
        if node.op_type not in CHEAP:
            raise refused(f"{seen}, at a cost that cannot be known", f"of constants, simple operators only; {_STEP}")
        if node.op_type not in MOVING and any(_is_text(shapes.get(name)) for name in names):
            raise refused(f"{seen}, of text of a length that cannot be known", f"numbers only; {_STEP}")
        self._made += sum(filter(None, made))
        self._read += sum(_elements(shapes.get(name)) or 0 for name in node.input)
        if self._made > self._limits.folded_elements or self._read > self._limits.folding_reads:
            most = f"{self._limits.folded_elements} elements of {self._limits.folding_reads}"
            raise refused(f"{seen}, after {self._made} elements of {self._read}", f"at most {most}; {_STEP}")


def _elements(kind: TypeProto | None) -> int | None:
    """How many elements a value has; None if that is not fixed."""
    if kind is None or not kind.tensor_type.HasField("shape"):
        return None
    sides = kind.tensor_type.shape.dim
    return math.prod(one.dim_value for one in sides) if all(one.HasField("dim_value") for one in sides) else None


def _is_text(kind: TypeProto | None) -> bool:
    return kind is None or kind.tensor_type.elem_type == TensorProto.STRING
