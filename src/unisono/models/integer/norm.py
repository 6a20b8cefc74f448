"""Layer normalisation in whole numbers."""

from __future__ import annotations

from math import isqrt

import numpy as np

from unisono.kernel.integer.network import NORM_BITS, NORM_SHIFT, Norm
from unisono.models.integer.site import Site


def norm(site: Site, one: Norm) -> None:
    """Each row less its mean, over the root of its squares."""
    emit, given = site.emit, site.read(one.given)
    width = site.proof.instructions[one.given].register.width
    total = emit("MatMul", given, emit.constant(np.ones((width, 1), np.int32)))
    mean = emit("Div", emit("Add", total, site.number(width // 2)), site.number(width))
    centred = emit("Sub", given, mean)
    bound = site.proof.bound(site.place, "sum of squares").high
    root = rooted(site, emit("Add", _squares(site, centred), site.number(one.epsilon, np.int64)), bound)
    inverse = site.cast(emit("Div", site.number(1 << NORM_BITS, np.int64), root), np.int32)
    over = emit("Add", emit("Mul", centred, inverse), site.number(1 << NORM_BITS))
    whole = site.cast(site.shifted(over, NORM_SHIFT), np.int32)
    site.write(site.rescaled(whole, one.rescale), np.uint32)


def _squares(site: Site, centred: str) -> str:
    """The sum of each row's squares, int64, rows x tokens x 1: as a product of rows and columns, since `ReduceSum` of
    int64 takes five times as long."""
    emit, wide = site.emit, site.cast(centred, np.int64)
    row, column = emit("Unsqueeze", wide, site.shape(2)), emit("Unsqueeze", wide, site.shape(3))
    return emit("Squeeze", emit("MatMul", row, column), site.shape(3))


def rooted(site: Site, x: str, bound: int) -> str:
    """The whole part of the square root of int64 numbers from 1 to `bound`, below 2**62; the last axis has one number.

    Newton's steps from a power of 2 that is no less than the root, and less than twice it. y -> (y + x // y) // 2 never
    falls below the whole part r, and from there on is r or r + 1 (for x + 1 a square): the last line decides.
    """
    emit = site.emit
    powers = np.array([1 << (2 * bits) for bits in range(isqrt(bound).bit_length())], np.int64)
    above = site.cast(emit("GreaterOrEqual", x, emit.constant(powers)), np.int32)
    octave = emit("ReduceSum", above, site.shape(-1), keepdims=1)
    y = emit("Gather", emit.constant(np.array([1 << bits for bits in range(len(powers) + 1)], np.int64)), octave)
    for _ in range(steps_to(isqrt(bound))):
        y = emit("Div", emit("Add", y, emit("Div", x, y)), site.number(2, np.int64))
    is_above = site.cast(emit("Greater", emit("Mul", y, y), x), np.int64)
    return emit("Sub", y, is_above)


def steps_to(root: int) -> int:
    """Newton steps after which a guess of at most twice the root is off by less than 1.

    A guess of (1 + e) * root becomes one of (1 + e * e / (2 + 2 * e)) * root.
    """
    error, steps = 1.0, 0
    while error * (root + 1) >= 1:
        error, steps = error * error / (2 + 2 * error), steps + 1
    return steps
