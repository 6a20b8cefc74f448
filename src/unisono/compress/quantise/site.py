"""Where nodes are written: the graph as it was, the nodes that take its place, and values that are whole already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from onnx import NodeProto, TensorProto

from unisono.compress.quantise.reading import Reading
from unisono.models.emit import Emitter

T = TypeVar("T")

MIDDLE = 128
"""The whole number that means 0 where numbers may be negative."""

WHOLE = "whole"
"""Way in which a value is kept that was never a float: its Quantised has its own shape, with a scale for each row."""


@dataclass(frozen=True, slots=True)
class Quantised:
    """A float tensor as whole numbers.

    numbers: uint8, in the tensor's shape.
    zero:    the whole number that means 0.
    scale:   float32; times (number - zero) it is what the tensor is above `floor`; it fits the tensor's shape.
    floor:   what is taken away from the tensor before.
    steps:   the same as the numbers, before they were rounded; of those whose scale comes from their rows.
    """

    numbers: str
    zero: int
    scale: str
    floor: float = 0.0
    steps: str = ""


@dataclass(slots=True)
class Site:
    """A graph while it is rewritten.

    reading: the graph as it was.
    emit:    takes the nodes.
    ranges:  name -> lowest and highest of what was seen of a value, for those whose scale is fixed.
    kept:    what was quantised already, by name and way.
    """

    reading: Reading
    emit: Emitter
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    kept: dict[tuple[str, str], Any] = field(default_factory=dict)

    def number(self, value: float, kind: type[np.generic] = np.float32) -> str:
        """A constant."""
        return self.emit.constant(np.asarray(value, kind))

    def whole_numbers(self, *numbers: int) -> str:
        """A constant of sides or axes."""
        return self.emit.constant(np.array(numbers, np.int64))

    def cast(self, name: str, kind: int) -> str:
        """A value in another type."""
        return self.emit("Cast", name, to=kind)

    def narrow(self, name: str) -> str:
        """A value of the graph in float32."""
        if self.reading.kinds.get(name) == TensorProto.FLOAT:
            return name
        return self.once(name, "narrow", lambda: self.cast(name, TensorProto.FLOAT))

    def as_before(self, name: str, node: NodeProto) -> str:
        """A float32 value in the type of what a node made before."""
        kind = self.reading.kinds.get(node.output[0], TensorProto.FLOAT)
        return name if kind == TensorProto.FLOAT else self.cast(name, kind)

    def once(self, name: str, way: str, make: Callable[[], T]) -> T:
        """What is made of a value in some way, made when it is first asked for."""
        key = (name, way)
        if key not in self.kept:
            self.kept[key] = make()
        made: T = self.kept[key]
        return made
