"""Tensors with many zeros as two short ones, and the operators that unpack them.

values: what is not zero, in order. gaps: for each, how far it is from the one before; a byte. Where there are more
than 255 places between two, a zero is stored among the values. Positions are the running sum of the gaps; the values
are scattered there into zeros. A bit map instead of gaps would be an eighth of a byte for every weight, which is the
same at 13 % of weights left, and smaller above; but whatever unpacks it makes five values or more of the full size, and
what a graph may compute while it is loaded is limited (`models.judging`). Gaps make three.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper

from unisono.compress.context import Context
from unisono.compress.running.graphs import answering
from unisono.models import ImportedModel
from unisono.models.canonical import canonical, metadata_of, refill
from unisono.models.emit import Emitter
from unisono.models.judging.limits import GraphLimits
from unisono.models.verifying.operators import unsure_operators
from unisono.spec.errors import ModelError

_LONGEST_GAP = 255
_TYPES = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT8, TensorProto.UINT8)

_WEIGHTS_OF_PRODUCTS = {"MatMulInteger": 1, "ConvInteger": 1, "QLinearMatMul": 3, "QLinearConv": 3}
"""Operators that are exact if their weights are known to be small -> their place; these stay where all can see them."""

_FULL_SIZES = 3  # values as large as the tensor that unpacking makes: zeros, scattered, in its shape
_SHORT_SIZES = 2  # values as long as `values`: gaps as numbers, their running sum
_SHARE_OF_LIMIT = 0.9  # of what may be computed at loading; the rest of the graph computes something, too


@dataclass(frozen=True, slots=True)
class Packed:
    """A tensor.

    values: as above, of the tensor's type.
    gaps:   as above, uint8.
    """

    values: NDArray[np.generic]
    gaps: NDArray[np.uint8]

    @property
    def size_bytes(self) -> int:
        """Of both."""
        return self.values.nbytes + self.gaps.nbytes

    def work(self, elements: int) -> int:
        """Elements of all values that unpacking makes, of a tensor of so many."""
        return _FULL_SIZES * elements + _SHORT_SIZES * len(self.gaps)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A tensor of a graph that can be packed.

    name: of the value.
    """

    name: str
    tensor: TensorProto
    packed: Packed

    @property
    def elements(self) -> int:
        return math.prod(self.tensor.dims)


def packed(model: ImportedModel, saving: float, context: Context) -> tuple[ImportedModel, dict[str, object]]:
    """A model whose graph is smaller, and what was done. Raises ModelError if no tensor saves as much."""
    graph = onnx.load_model_from_string(model.graph)
    chosen, too_many = _within_limits(_candidates(graph, saving))
    if not chosen:
        raise ModelError(
            f"sparse: no tensor gets {saving:.0%} smaller; allowed: one at least, with more than some 30 % zeros among "
            "floats, or 60 % among bytes; put prune_weights before it, or leave it out"
        )
    smaller = _with_packed(graph, chosen, context)
    other = replace(model, graph=smaller)
    notes: dict[str, object] = {
        "tensors": len(chosen),
        "left_whole": too_many,
        "bytes_before": len(model.graph),
        "bytes": len(smaller),
        "unsure_operators": list(unsure_operators(onnx.load_model_from_string(smaller))),
    }
    return replace(other, answer=answering(other, context.data.inputs)), notes


def pack(array: NDArray[np.generic]) -> Packed:
    """A tensor, packed. Only what has no bit set is left out, so that -0.0 comes back as it was.

    >>> packed = pack(np.array([[0.0, 2.0], [0.0, 5.0]], np.float32))
    >>> packed.values.tolist(), packed.gaps.tolist()
    ([2.0, 5.0], [1, 2])
    """
    flat = np.ascontiguousarray(array).reshape(-1)
    places = np.flatnonzero(flat.view(f"u{flat.itemsize}"))
    places = _with_rests(places)
    return Packed(flat[places], np.diff(places, prepend=0).astype(np.uint8))


def _with_rests(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same places, with more between those that are too far from each other."""
    gaps = np.diff(places, prepend=0)
    rests = np.maximum(gaps - 1, 0) // _LONGEST_GAP
    starts = np.repeat(places - gaps, rests)
    order = np.arange(rests.sum()) - np.repeat(np.cumsum(rests) - rests, rests)
    return np.sort(np.concatenate([places, starts + _LONGEST_GAP * (order + 1)]))


def _candidates(graph: ModelProto, saving: float) -> Iterator[_Candidate]:
    inputs = {one.name for one in graph.graph.input}
    seen_weights = {
        node.input[_WEIGHTS_OF_PRODUCTS[node.op_type]]
        for node in graph.graph.node
        if node.op_type in _WEIGHTS_OF_PRODUCTS
    }
    for name, tensor in _tensors(graph):
        if tensor.data_type not in _TYPES or name in inputs | seen_weights:
            continue
        array = numpy_helper.to_array(tensor)
        if not array.size:
            continue
        made = pack(array)
        if made.size_bytes < (1 - saving) * array.nbytes and len(made.gaps):
            yield _Candidate(name, tensor, made)


def _tensors(graph: ModelProto) -> Iterator[tuple[str, TensorProto]]:
    """What is stored in a graph, by the names of the values."""
    yield from ((one.name, one) for one in graph.graph.initializer)
    for node in graph.graph.node:
        if node.op_type == "Constant" and node.attribute[0].HasField("t"):
            yield node.output[0], node.attribute[0].t


def _within_limits(candidates: Iterator[_Candidate]) -> tuple[list[_Candidate], int]:
    """Those that may all be unpacked at loading, the largest first; and how many may not."""
    left = int(_SHARE_OF_LIMIT * GraphLimits().folded_elements)
    chosen, too_many = [], 0
    for one in sorted(candidates, key=lambda one: -one.elements):
        work = one.packed.work(one.elements)
        if work <= left:
            left -= work
            chosen.append(one)
        else:
            too_many += 1
    return chosen, too_many


def _with_packed(graph: ModelProto, chosen: list[_Candidate], context: Context) -> bytes:
    emit = Emitter("packed.")
    for place, one in enumerate(chosen):
        emit.rename(_unpacked(emit, one), one.name)
        context.progress("packing tensors", place + 1, len(chosen))
    names = {one.name for one in chosen}
    whole = ModelProto()
    whole.CopyFrom(graph)
    refill(whole.graph.initializer, [*(one for one in graph.graph.initializer if one.name not in names)])
    whole.graph.initializer.extend(emit.initializers)
    others = [node for node in graph.graph.node if not names.intersection(node.output)]
    refill(whole.graph.node, [*emit.nodes, *others])
    return canonical(whole, metadata_of(graph))


def _unpacked(emit: Emitter, one: _Candidate) -> str:
    gaps = emit("Cast", emit.constant(one.packed.gaps), to=TensorProto.INT64)
    places = emit("CumSum", gaps, emit.constant(np.int64(0)))
    zero = numpy_helper.from_array(np.zeros(1, one.packed.values.dtype))
    zeros = emit("ConstantOfShape", emit.constant(np.array([one.elements])), value=zero)
    flat = emit("ScatterElements", zeros, places, emit.constant(one.packed.values), axis=0)
    return emit("Reshape", flat, emit.constant(np.array(one.tensor.dims, np.int64)))
