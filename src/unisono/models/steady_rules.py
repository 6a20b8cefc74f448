"""What stands for an operator whose answer depends on the batch or on the machine.

Measured on onnxruntime 1.32: its vector code for exp, log, sin and others gives other bits than the scalar code that
handles the last rows of a batch; max and min pick another zero or NaN; a whole number divided by zero fails the whole
batch, and the least int64 divided by -1 ends the process; a cast of NaN to int64 is whatever the machine does. Each has
a rule in the table below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from unisono.models import exponential
from unisono.models.emit import Emitter

_COPIES = 16  # a multiple of the numbers that any vector register holds
_FLOATS = (TensorProto.DOUBLE, TensorProto.FLOAT)
_WHOLE = (TensorProto.INT64, TensorProto.INT32)


@dataclass(frozen=True, slots=True)
class Site:
    """A node that may be replaced.

    emit:      takes the nodes that stand for it.
    kind:      element type of its first input.
    constants: the values of the graph that are known.
    """

    emit: Emitter
    node: NodeProto
    kind: int
    constants: Mapping[str, NDArray[Any]]

    def number(self, value: float) -> str:
        """A constant of the first input's type."""
        return self.emit.constant(np.asarray(value, helper.tensor_dtype_to_np_dtype(self.kind)))

    @property
    def attributes(self) -> dict[str, Any]:
        """The node's own attributes."""
        return {one.name: helper.get_attribute_value(one) for one in self.node.attribute}


Rule = Callable[[Site], str | None]
"""Makes the nodes and names the answer; None: the node is sound as it is."""


def _exp(site: Site) -> str:
    return exponential.exp(site.emit, site.node.input[0])


def _sigmoid(site: Site) -> str:
    return exponential.sigmoid(site.emit, site.node.input[0])


def _softmax(site: Site) -> str:
    return exponential.softmax(site.emit, site.node.input[0], axis=site.attributes.get("axis", -1))


def _widened(site: Site) -> str:
    """The operator over copies side by side, so that vector code computes every number, with itself for neighbours.

    The neighbours matter: for a huge number the sine of all numbers in a register is computed in another way.
    """
    emit, node, attributes = site.emit, site.node, site.attributes
    copy = emit("Unsqueeze", node.input[0], emit.constant(np.array([-1])))
    if node.op_type in _ALONG_AN_AXIS:
        axis = attributes.get("axis", -1)
        attributes["axis"] = axis if axis >= 0 else axis - 1
    wide = emit(node.op_type, emit("Concat", *[copy] * _COPIES, axis=-1), **attributes)
    return emit("Gather", wide, emit.constant(np.int64(0)), axis=-1)


def _extreme(comparison: str) -> Rule:
    """The first number if it wins or is NaN, else the second: NaN wins over all, and of two zeros the second."""

    def rule(site: Site) -> str | None:
        best, *others = site.node.input
        for other in others:
            keeps = site.emit("Or", site.emit(comparison, best, other), site.emit("IsNaN", best))
            best = site.emit("Where", keeps, best, other)
        return best if others else None

    return rule


def _is_safe_divisor(site: Site) -> bool:
    known = site.constants.get(site.node.input[1])
    return known is not None and not np.isin(known, (0, -1)).any()


def _division(site: Site) -> str | None:
    """n / 0 = 0, as in numpy, and n / -1 = -n, which wraps."""
    if _is_safe_divisor(site):
        return None
    emit, (number, divisor) = site.emit, site.node.input
    special = emit("Or", emit("Equal", divisor, site.number(0)), emit("Equal", divisor, site.number(-1)))
    quotient = emit("Div", number, emit("Where", special, site.number(1), divisor))
    return emit("Where", special, emit("Mul", number, divisor), quotient)


def _remainder(site: Site) -> str | None:
    """n mod 0 = 0, as in numpy."""
    if _is_safe_divisor(site):
        return None
    emit, (number, divisor) = site.emit, site.node.input
    safe = emit("Where", emit("Equal", divisor, site.number(0)), site.number(1), divisor)
    return emit("Mod", number, safe, **site.attributes)


def _cast(site: Site) -> str | None:
    """0 for what no int64 can hold."""
    if site.attributes["to"] != TensorProto.INT64:
        return None
    emit, number = site.emit, site.node.input[0]
    fits = emit("Less", emit("Abs", number), site.number(2.0**63))
    return emit("Cast", emit("Where", fits, number, site.number(0.0)), to=TensorProto.INT64)


_ALONG_AN_AXIS = ("LogSoftmax", "Softmax")
_WIDENED = (
    *("Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Celu", "Cos", "Cosh", "Elu", "Erf", "Exp", "Gelu", "Log"),
    *("LogSoftmax", "Mish", "Selu", "Sigmoid", "Sin", "Sinh", "Softmax", "Softplus", "Tan", "Tanh"),
)

EXPONENTIALS: Mapping[tuple[str, int], Rule] = {
    ("Exp", TensorProto.DOUBLE): _exp,
    ("Sigmoid", TensorProto.DOUBLE): _sigmoid,
    ("Softmax", TensorProto.DOUBLE): _softmax,
}
"""Those that make probabilities of scores."""

RULES: Mapping[tuple[str, int], Rule] = {
    **{(operator, kind): _widened for operator in _WIDENED for kind in _FLOATS},
    **EXPONENTIALS,
    **{("Max", kind): _extreme("Greater") for kind in _FLOATS},
    **{("Min", kind): _extreme("Less") for kind in _FLOATS},
    **{("Div", kind): _division for kind in _WHOLE},
    **{("Mod", kind): _remainder for kind in _WHOLE},
    **{("Cast", kind): _cast for kind in _FLOATS},
}
"""(operator, element type of its first input) -> what stands for it."""
