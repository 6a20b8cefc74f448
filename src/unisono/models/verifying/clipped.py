"""From where to where 8-bit numbers go that a graph makes when it is run: clipped, shifted, cast and moved about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, helper

_MOVES = ("Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")
_WIDE = ("INT32", "UINT32")


@dataclass(frozen=True, slots=True)
class _Ends:
    """Of whole numbers; below 0 only the lowest bits of a value are those of its number, as two's complement has it."""

    low: int
    high: int
    bits: int = 32


def clipped(graph: GraphProto, kinds: Mapping[str, str], known: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Value of int8 -> the least and the most that it can hold, where a Clip or a constant says so.

    kinds, known: types of values, and constants.
    """
    found: dict[str, _Ends] = {}
    for node in graph.node:
        ends = None if node.domain else _after(node, kinds, known, found)
        if ends is not None:
            found[node.output[0]] = ends
    return {
        name: np.array([one.low, one.high], np.int8)
        for name, one in found.items()
        if kinds.get(name) == "INT8" and one.bits >= 8 and one.low >= -128 and one.high <= 127
    }


def _after(
    node: NodeProto, kinds: Mapping[str, str], known: Mapping[str, NDArray[Any]], found: Mapping[str, _Ends]
) -> _Ends | None:
    if node.op_type == "Clip":
        ends = [known.get(name) for name in node.input[1:]]
        is_whole = kinds.get(node.input[0]) in ("INT32", "INT8") and len(ends) == 2
        return _Ends(*(int(one) for one in ends if one is not None)) if is_whole and None not in ends else None
    if not node.input:
        return None
    before = found.get(node.input[0])
    if node.op_type in _MOVES:
        return before or _of_constant(known.get(node.input[0]))
    if before is None:
        return None
    if node.op_type == "BitShift" and kinds.get(node.input[0]) == "UINT32":
        return _shifted(before, node, known.get(node.input[1]))
    is_cast = node.op_type == "Cast" and kinds.get(node.output[0]) in (*_WIDE, "INT8")
    return before if is_cast and kinds.get(node.input[0]) in _WIDE else None


def _of_constant(value: NDArray[Any] | None) -> _Ends | None:
    is_small = value is not None and value.dtype == np.int8 and value.size
    return _Ends(int(value.min()), int(value.max())) if value is not None and is_small else None


def _shifted(before: _Ends, node: NodeProto, by: NDArray[Any] | None) -> _Ends | None:
    """What comes in at the top is 0, and not the sign."""
    direction = helper.get_attribute_value(node.attribute[0])
    if by is None or by.size != 1 or direction != b"RIGHT":
        return None
    bits = int(by.reshape(-1)[0])
    return _Ends(before.low >> bits, before.high >> bits, before.bits - bits)
