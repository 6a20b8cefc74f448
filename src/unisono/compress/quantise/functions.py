"""Functions out of operators that are rounded in one way everywhere, as near as 8 bits ask for.

Vector code of every machine computes these in its own way; here they are sums, products, quotients and comparisons of
float32, each rounded once, or sums of whole numbers. Tables would be fewer operators, but looking up 200,000 numbers
takes onnxruntime 1,500 us, where adding or multiplying them takes 25.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

import numpy as np
from onnx import NodeProto, TensorProto

from unisono.compress.quantise.reading import attributes_of, last_axis
from unisono.compress.quantise.site import WHOLE, Quantised, Site
from unisono.models import exponential
from unisono.models.exponential import sum_in_order

_FLOAT, _DOUBLE = TensorProto.FLOAT, TensorProto.DOUBLE

# exp(-d) = ((d * SLOPE + SHIFT) ** 2 + REST) ** 16 for d from 0 to FARTHEST, off by 0.0006 at most (least squares), and
# small enough at the end to become 0: many small numbers that become 1 of 255 would outweigh a large one.
_SLOPE, _SHIFT, _REST, _DOUBLINGS, _FARTHEST = 0.0420671, -0.74058329, 0.45150276, 4, 8.0
# m * (1 - erf(m / sqrt(2))) / 2 as m * (a + m * (b + m * (c + m * d))) for m from 0 to END, off by 0.0021 at most.
_BUMP, _END = (0.5301002, -0.53177353, 0.17991769, -0.02046016), 3.2
_SMALLEST = 1e-30  # that is divided by
_ROWS_OF_255 = 255.0


def softmax(site: Site, node: NodeProto) -> str | None:
    """exp(x - max) in 8 bits, over the sum of those whole numbers (as I-BERT does with others, Kim et al. 2021).

    A product that it goes into takes the whole numbers as they are.
    """
    if site.reading.kinds.get(node.input[0]) == _DOUBLE:
        return exponential.softmax(site.emit, node.input[0], axis=attributes_of(node).get("axis", -1))
    if not last_axis(node, site.reading):
        return None
    emit, x = site.emit, node.input[0]
    below = emit("Sub", x, emit("ReduceMax", x, site.whole_numbers(-1), keepdims=1))
    near = emit("Max", below, site.number(-_FARTHEST))
    root = emit("Add", emit("Mul", near, site.number(-_SLOPE)), site.number(_SHIFT))
    power = emit("Add", emit("Mul", root, root), site.number(_REST))
    for _ in range(_DOUBLINGS):
        power = emit("Mul", power, power)
    numbers = emit("QuantizeLinear", power, site.number(1 / _ROWS_OF_255), emit.constant(np.uint8(0)))
    ones = emit("Expand", emit.constant(np.array([[1]], np.uint8)), _column(site, numbers))
    sums = site.cast(emit("MatMulInteger", numbers, ones), _FLOAT)
    scale = _inverse(site, sums, np.float32)
    site.kept[node.output[0], WHOLE] = Quantised(numbers, 0, scale)
    return emit("Mul", site.cast(numbers, _FLOAT), scale)


def _inverse(site: Site, x: str, kind: type[np.generic]) -> str:
    """1 / x, to the bit; not written so, since onnxruntime makes y / x of (1 / x) * y, which rounds once less."""
    return site.emit("Div", site.number(2, kind), site.emit("Add", x, x))


def _column(site: Site, numbers: str) -> str:
    """The sides of a column as long as the rows of a value."""
    return site.emit("Concat", site.emit("Shape", numbers, start=-1), site.whole_numbers(1), axis=0)


def gelu(site: Site, node: NodeProto) -> str:
    """x without its negative part, less a small bump about 0."""
    emit, x = site.emit, site.narrow(node.input[0])
    near = emit("Min", emit("Abs", x), site.number(_END))
    slope = site.number(_BUMP[-1])
    for term in reversed(_BUMP[:-1]):
        slope = emit("Add", emit("Mul", near, slope), site.number(term))
    return site.as_before(emit("Sub", emit("Relu", x), emit("Mul", near, slope)), node)


def layer_norm(site: Site, node: NodeProto) -> str | None:
    """Sums of whole numbers, and the root in float64."""
    size = site.reading.shapes.get(node.input[0], (None,))[-1]
    if not last_axis(node, site.reading) or size is None or len(node.output) > 1:
        return None
    emit, x = site.emit, site.narrow(node.input[0])
    centred = emit("Sub", x, _mean(site, x, emit("Abs", x), size))
    squares = emit("Mul", centred, centred)
    variance = _mean(site, squares, squares, size)
    root = _root(site, emit("Add", variance, site.number(attributes_of(node).get("epsilon", 1e-5))))
    whole = emit("Mul", emit("Div", centred, root), site.narrow(node.input[1]))
    moved = emit("Add", whole, site.narrow(node.input[2])) if len(node.input) > 2 else whole
    return site.as_before(moved, node)


def _mean(site: Site, x: str, sizes: str, size: int) -> str:
    """Along the last axis: numbers are cut to a grid so fine that their sum just fits 32 bits, which is exact then.

    sizes: absolute values of x.
    """
    emit, reach = site.emit, 1 << (30 - size.bit_length())
    top = emit("Max", emit("ReduceMax", sizes, site.whole_numbers(-1), keepdims=1), site.number(_SMALLEST))
    steps = site.cast(emit("Mul", x, emit("Div", site.number(reach), top)), TensorProto.INT32)
    sums = site.cast(emit("ReduceSum", steps, site.whole_numbers(-1), keepdims=1), _FLOAT)
    return emit("Mul", sums, emit("Mul", top, site.number(1 / (reach * size))))


def _root(site: Site, x: str) -> str:
    """In float32, vector code takes the square root from an estimate."""
    return site.cast(site.emit("Sqrt", site.cast(x, _DOUBLE)), _FLOAT)


def root(site: Site, node: NodeProto) -> str | None:
    """The square root, in float64."""
    return None if site.reading.kinds.get(node.input[0]) != _FLOAT else _root(site, node.input[0])


def summed(site: Site, node: NodeProto) -> str | None:
    """A sum or mean along some axes, from the first number to the last."""
    axes = _axes(site, node)
    if axes is None:
        return None
    emit, told = site.emit, attributes_of(node)
    total = node.input[0]
    for axis in axes:
        total = sum_in_order(emit, total, axis=axis)
    if node.op_type in ("ReduceMean", "GlobalAveragePool"):
        total = emit("Div", total, _count(site, node.input[0], axes))
    keeps = node.op_type == "GlobalAveragePool" or told.get("keepdims", 1)
    return total if keeps else emit("Squeeze", total, site.whole_numbers(*axes))


def _axes(site: Site, node: NodeProto) -> tuple[int, ...] | None:
    rank = site.reading.rank(node.input[0])
    if node.op_type == "GlobalAveragePool":
        return None if rank is None else tuple(range(2, rank))
    known = site.reading.constants.get(node.input[1]) if len(node.input) > 1 and node.input[1] else None
    if known is None and rank is not None and not attributes_of(node).get("noop_with_empty_axes", 0):
        return tuple(range(rank)) if len(node.input) < 2 or not node.input[1] else None
    return None if known is None else tuple(int(one) for one in known.reshape(-1))


def _count(site: Site, name: str, axes: Sequence[int]) -> str:
    """How many numbers there are along some axes, in the type of the value."""
    sides = [site.reading.shapes[name][axis] for axis in axes] if name in site.reading.shapes else [None]
    kind = site.reading.kinds[name]
    known = [side for side in sides if side is not None]
    if len(known) == len(sides):
        return site.number(prod(known), np.float64 if kind == _DOUBLE else np.float32)
    chosen = site.emit("Gather", site.emit("Shape", name), site.whole_numbers(*axes))
    return site.cast(site.emit("ReduceProd", chosen, keepdims=0), kind)


def normalised(site: Site, node: NodeProto) -> str | None:
    """Batch normalisation with known numbers: a factor and a term for each channel."""
    known = [site.reading.constants.get(name) for name in node.input[1:5]]
    rank = site.reading.rank(node.input[0])
    if rank is None or any(one is None for one in known):
        return None
    scale, bias, mean, variance = (np.asarray(one, np.float64) for one in known)
    factor = scale / np.sqrt(variance + attributes_of(node).get("epsilon", 1e-5))
    kind = np.float64 if site.reading.kinds[node.input[0]] == _DOUBLE else np.float32
    sides = [-1, *[1] * (rank - 2)]
    times, plus = (site.emit.constant(one.reshape(sides).astype(kind)) for one in (factor, bias - mean * factor))
    return site.emit("Add", site.emit("Mul", node.input[0], times), plus)


def _doubled(make: Callable[[Site, str], str]) -> Callable[[Site, NodeProto], str]:
    """A function that is computed in float64, and rounded to what the graph had."""

    def rule(site: Site, node: NodeProto) -> str:
        kind = site.reading.kinds[node.input[0]]
        x = node.input[0] if kind == _DOUBLE else site.cast(node.input[0], _DOUBLE)
        made = make(site, x)
        return made if kind == _DOUBLE else site.cast(made, _FLOAT)

    return rule


def _sigmoid(site: Site, x: str) -> str:
    return exponential.sigmoid(site.emit, x)


def _exp(site: Site, x: str) -> str:
    return exponential.exp(site.emit, x)


def _tanh(site: Site, x: str) -> str:
    """2 / (1 + exp(-2 x)) - 1."""
    emit, one, two = site.emit, site.number(1, np.float64), site.number(2, np.float64)
    power = exponential.exp(emit, emit("Mul", x, two), negated=True)
    return emit("Sub", emit("Div", two, emit("Add", power, one)), one)


def _hard_sigmoid(site: Site, node: NodeProto) -> str:
    told = attributes_of(node)
    return _clipped_line(site, node.input[0], told.get("alpha", 0.2), told.get("beta", 0.5))


def _hard_swish(site: Site, node: NodeProto) -> str:
    return site.emit("Mul", node.input[0], _clipped_line(site, node.input[0], 1 / 6, 0.5))


def _clipped_line(site: Site, x: str, slope: float, start: float) -> str:
    kind = np.float64 if site.reading.kinds[x] == _DOUBLE else np.float32
    line = site.emit("Add", site.emit("Mul", x, site.number(slope, kind)), site.number(start, kind))
    return site.emit("Clip", line, site.number(0, kind), site.number(1, kind))


def _reciprocal(site: Site, node: NodeProto) -> str:
    kind = np.float64 if site.reading.kinds[node.input[0]] == _DOUBLE else np.float32
    return _inverse(site, node.input[0], kind)


def _power(site: Site, node: NodeProto) -> str | None:
    known = site.reading.constants.get(node.input[1])
    return site.emit("Mul", node.input[0], node.input[0]) if known is not None and (known == 2).all() else None


Rule = Callable[[Site, NodeProto], str | None]

RULES: Mapping[str, Rule] = {
    "Softmax": softmax,
    "Gelu": gelu,
    "LayerNormalization": layer_norm,
    "Sqrt": root,
    "ReduceMean": summed,
    "ReduceSum": summed,
    "GlobalAveragePool": summed,
    "BatchNormalization": normalised,
    "Sigmoid": _doubled(_sigmoid),
    "Tanh": _doubled(_tanh),
    "Exp": _doubled(_exp),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Reciprocal": _reciprocal,
    "Pow": _power,
}
"""Operator -> what stands for it in a portable graph; None: it stays, and the graph is not exact."""
