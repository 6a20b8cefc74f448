"""Images that a module enlarges or shrinks to a size by their nearest pixels: pixels are looked up where torch does.

ONNX's Resize is told the size, from which onnxruntime takes a factor: 64 / 28 rounded is a little too much, so that
every place that falls right on a pixel is given the one before it. torch takes 28 / 64, which is a number of bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_SIZES = 3  # the input of a Resize that has them
_SPATIAL = 2  # the first axis that is no row and no channel


def with_exact_pixels(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with such Resizes of known sides as `Gather`; the others stay."""
    sides = _sides(model.graph)
    nodes = [one for node in model.graph.node for one in _written(node, sides, model.graph)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _sides(graph: onnx.GraphProto) -> dict[str, list[int]]:
    """How long each axis of a value is; 0 where that is not known."""
    return {
        one.name: [side.dim_value for side in one.type.tensor_type.shape.dim]
        for one in (*graph.input, *graph.value_info, *graph.output)
    }


def _written(node: onnx.NodeProto, sides: dict[str, list[int]], graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    before, after = sides.get(node.input[0] if node.input else "", []), sides.get(node.output[0], [])
    if not _is_nearest(node) or not all(before[_SPATIAL:]) or not all(after[_SPATIAL:]) or len(before) != len(after):
        yield node
        return
    changed = [axis for axis in range(_SPATIAL, len(before)) if before[axis] != after[axis]]
    if not changed:
        yield helper.make_node("Identity", node.input[:1], node.output)
        return
    names = [node.input[0], *(f"{node.output[0]}.{axis}" for axis in changed[:-1]), node.output[0]]
    for axis, given, made in zip(changed, names[:-1], names[1:], strict=True):
        places = f"{node.output[0]}.places.{axis}"
        graph.initializer.append(numpy_helper.from_array(_places(before[axis], after[axis]), places))
        yield helper.make_node("Gather", [given, places], [made], axis=axis)


def _is_nearest(node: onnx.NodeProto) -> bool:
    """Whether it is what torch's mode "nearest" becomes, with a size."""
    said = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    wanted: Sequence[bytes] = (b"nearest", b"asymmetric", b"floor")
    is_usual = [said.get(name) for name in ("mode", "coordinate_transformation_mode", "nearest_mode")] == [*wanted]
    return node.op_type == "Resize" and is_usual and len(node.input) > _SIZES and bool(node.input[_SIZES])


def _places(before: int, after: int) -> NDArray[np.int64]:
    """Of the pixels along an axis, as torch computes them: in floats of 32 bits."""
    exact = np.arange(after, dtype=np.float32) * (np.float32(before) / np.float32(after))
    return np.minimum(exact.astype(np.int64), before - 1)
