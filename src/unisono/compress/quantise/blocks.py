"""Weights that are stored in 8 or 4 bits, and are floats when they are multiplied."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from unisono.compress.quantise.products import Product
from unisono.compress.quantise.site import Site
from unisono.compress.quantise.weights import FULL, Per, whole

_BLOCK = 32  # weights that share a scale, where they have 4 bits
_LARGEST = {8: FULL, 4: 7}


def stored_in_blocks(site: Site, product: Product, *, bits: int, per: Per) -> str:
    """The product as it was, of weights that DequantizeLinear makes.

    With 4 bits a scale holds for 32 weights in a column, where the columns can be cut so; else for a channel.
    """
    emit, weights = site.emit, product.weights
    numbers, scale, attributes = _numbers(weights, product, bits, per)
    packed = _packed(site, numbers) if bits == 4 else emit.constant(numbers)
    floats = emit("DequantizeLinear", packed, emit.constant(scale), **attributes)
    node = product.node
    if product.is_convolution:
        bias = [] if product.bias is None else [emit.constant(product.bias)]
        told = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        return emit("Conv", site.narrow(node.input[0]), floats, *bias, **told)
    made = emit("MatMul", site.narrow(node.input[0]), floats)
    return site.as_before(made if product.bias is None else emit("Add", made, emit.constant(product.bias)), node)


def _numbers(
    weights: NDArray[np.float32], product: Product, bits: int, per: Per
) -> tuple[NDArray[np.int8], NDArray[np.float32], dict[str, Any]]:
    if bits == 4 and not product.is_convolution and weights.shape[0] % _BLOCK == 0:
        rows, columns = weights.shape
        cut = weights.reshape(rows // _BLOCK, _BLOCK, columns).transpose(0, 2, 1).reshape(-1, _BLOCK)
        made = whole(cut, 0, largest=_LARGEST[bits], per="channel")
        numbers = made.numbers.reshape(rows // _BLOCK, columns, _BLOCK).transpose(0, 2, 1).reshape(rows, columns)
        return np.ascontiguousarray(numbers), made.scale.reshape(-1, columns), {"axis": 0, "block_size": _BLOCK}
    made = whole(weights, product.channel_axis, largest=_LARGEST[bits], per=per)
    return made.numbers, made.scale, {"axis": made.axis}


def _packed(site: Site, numbers: NDArray[np.int8]) -> str:
    """A constant of int4: two numbers a byte, the first in the lower half."""
    flat = numbers.reshape(-1).astype(np.uint8) & 15
    even = np.append(flat, np.zeros(flat.size % 2, np.uint8))
    name = f"int4.{len(site.emit.initializers)}"
    content = (even[::2] | (even[1::2] << 4)).tobytes()
    site.emit.initializers.append(helper.make_tensor(name, TensorProto.INT4, numbers.shape, content, raw=True))
    return name
