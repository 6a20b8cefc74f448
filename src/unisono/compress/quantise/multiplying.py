"""Products in whole numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto

from unisono.compress.quantise import activations
from unisono.compress.quantise.products import Product
from unisono.compress.quantise.reading import attributes_of, float32
from unisono.compress.quantise.site import MIDDLE, WHOLE, Quantised, Site
from unisono.compress.quantise.weights import Per, Whole, whole

_FINER = 127  # parts that a step of the grid of weights is divided into, in a finer product
_FINER_GIVEN = 254  # the same of what it is given: half a step is 127 of them


def multiplied(site: Site, product: Product, *, largest: int, per: Per) -> str:
    """A product of 8-bit numbers, with its bias, as floats.

    largest: of the weights.
    """
    weights = whole(product.weights, product.channel_axis, largest=largest, per=per)
    name = product.node.input[0]
    if name in site.ranges:
        given = activations.fixed(site, name)
    else:
        given = activations.by_images(site, name) if product.is_convolution else activations.by_rows(site, name)
    sums = _sums(site, product, given.numbers, given.zero, weights)
    return _biased(site, product, _scaled(site, sums, given, weights), given, weights.floats())


def multiplied_finely(site: Site, product: Product, *, largest: int, per: Per) -> str:
    """The same in about 15 bits: numbers and what rounding left of them, each in 8 bits."""
    rough = whole(product.weights, product.channel_axis, largest=largest, per=per)
    left = (product.weights - rough.floats()) / rough.wide * _FINER
    fine = Whole(np.clip(np.round(left), -largest, largest).astype(np.int8), float32(rough.scale / _FINER), rough.axis)
    name = product.node.input[0]
    given = activations.by_images(site, name) if product.is_convolution else activations.by_rows(site, name)
    rest = _rest(site, given)
    parts = [
        _scaled(site, _sums(site, product, given.numbers, given.zero, rough), given, rough),
        _scaled(site, _sums(site, product, given.numbers, given.zero, fine), given, fine),
        _scaled(site, _sums(site, product, rest.numbers, rest.zero, rough), rest, rough),
    ]
    together = site.emit("Add", site.emit("Add", parts[0], parts[1]), parts[2])
    return _biased(site, product, together, given, rough.floats() + fine.floats())


def _rest(site: Site, given: Quantised) -> Quantised:
    """What rounding left of what a product is given."""
    emit = site.emit
    near = emit("Sub", site.cast(given.numbers, TensorProto.FLOAT), site.number(given.zero))
    rest, zero = emit("Sub", given.steps, near), emit.constant(np.uint8(MIDDLE))
    numbers = emit("QuantizeLinear", rest, site.number(1 / _FINER_GIVEN), zero)
    return Quantised(numbers, MIDDLE, emit("Mul", given.scale, site.number(1 / _FINER_GIVEN)))


def _sums(site: Site, product: Product, numbers: str, zero: int, weights: Whole) -> str:
    """The product of whole numbers: exact, in 32 bits."""
    emit = site.emit
    zeros = emit.constant(np.uint8(zero))
    known = emit.constant(weights.numbers)
    if not product.is_convolution:
        return emit("MatMulInteger", numbers, known, zeros)
    return emit("ConvInteger", numbers, known, zeros, **attributes_of(product.node))


def _scaled(site: Site, sums: str, given: Quantised, weights: Whole) -> str:
    emit = site.emit
    floats = site.cast(sums, TensorProto.FLOAT)
    scale = weights.scale
    is_single = bool((scale == scale[0]).all())
    by_channel = emit.constant(scale[:1].reshape(()) if is_single else _channels(scale, weights))
    return emit("Mul", emit("Mul", floats, given.scale), by_channel)


def _channels(scale: NDArray[np.float32], weights: Whole) -> NDArray[np.float32]:
    return scale.reshape(-1, *[1] * (weights.numbers.ndim - 2)) if weights.axis == 0 else scale


def _biased(site: Site, product: Product, floats: str, given: Quantised, weights: NDArray[np.float32]) -> str:
    """With the bias, and with what the floor of what was given adds; in the type that it had."""
    bias = product.bias
    if given.floor:
        own = np.float32(given.floor) * weights.sum(axis=0, dtype=np.float64).astype(np.float32)
        bias = own if bias is None else own + bias
    if bias is None:
        return site.as_before(floats, product.node)
    shaped = bias.reshape(-1, *[1] * (product.weights.ndim - 2)) if product.is_convolution else bias
    return site.as_before(site.emit("Add", floats, site.emit.constant(float32(shaped))), product.node)


def multiplied_both(site: Site, node: NodeProto) -> str:
    """A matrix product of two values that come at run time: rows of the first, matrices of the second."""
    emit = site.emit
    ready: Quantised | None = site.kept.get((node.input[0], WHOLE))
    first = ready or activations.by_rows(site, node.input[0])
    second = activations.by_matrices(site, node.input[1])
    zeros = [emit.constant(np.uint8(one.zero)) for one in (first, second)]
    sums = emit("MatMulInteger", first.numbers, second.numbers, *zeros)
    # Abs changes nothing, but for onnxruntime's wish to make one operator of a cast and a product of two scales, which
    # rounds in other places.
    scale = emit("Abs", emit("Mul", first.scale, second.scale))
    return site.as_before(emit("Mul", site.cast(sums, TensorProto.FLOAT), scale), node)
