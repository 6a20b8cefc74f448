"""Layer normalisation in whole numbers."""

from __future__ import annotations

from math import isqrt

import numpy as np
import numpy.typing as npt

from unisono.kernel.integer.network import NORM_BITS, NORM_SHIFT, Norm
from unisono.models.integer.site import Site

_A_DOUBLING = 2  # guesses: one step less than with one; with eight, comparing takes what a step does
_NEAR = 0.99
_UINT32_MOST = 2**32 - 1


def norm(site: Site, one: Norm) -> None:
    """Each row less its mean, over the root of its squares. In uint32, where what is below 0 is two's complement: so
    nothing has to be cast between the register and the shift."""
    emit, given = site.emit, site.read(one.given, np.uint32)
    width = site.proof.instructions[one.given].register.width
    total = emit("MatMul", given, emit.constant(np.ones((width, 1), np.uint32)))
    mean = emit("Div", emit("Add", total, site.number(width // 2, np.uint32)), site.number(width, np.uint32))
    centred = emit("Sub", given, mean)
    squares = emit("Add", _squares(site, centred, width), site.number(one.epsilon, np.int64))
    root = rooted(site, squares, site.proof.bound(site.place, "sum of squares").high)
    inverse = site.cast(emit("Div", site.number(1 << NORM_BITS, np.int64), root), np.uint32)
    over = emit("Add", emit("Mul", centred, inverse), site.number(1 << NORM_BITS, np.uint32))
    whole = emit("BitShift", over, site.number(NORM_SHIFT, np.uint32), direction="RIGHT")
    site.write_rescaled(whole, one.rescale)


def _squares(site: Site, centred: str, width: int) -> str:
    """The sum of each row's squares, int64; as a product with ones, since `ReduceSum` of int64 takes five times as
    long."""
    emit = site.emit
    if site.proof.bound(site.place, "square").high > _UINT32_MOST:
        centred = site.cast(site.cast(centred, np.int32), np.int64)
    squares = site.cast(emit("Mul", centred, centred), np.int64)
    return emit("MatMul", squares, emit.constant(np.ones((width, 1), np.int64)))


def rooted(site: Site, x: str, bound: int) -> str:
    """The whole part of the square root of int64 numbers from 1 to `bound`, below 2**62; the last axis has one number.

    Newton's steps from a guess that is no less than the root. y -> (y + x // y) // 2 never falls below the whole part
    r, and from there on is r or r + 1 (for x + 1 a square): the last line decides.
    """
    emit, guesses = site.emit, _guesses(isqrt(bound))
    above = site.cast(emit("Greater", x, emit.constant(guesses[:-1] ** 2)), np.int32)
    place = emit("MatMul", above, emit.constant(np.ones((len(guesses) - 1, 1), np.int32)))
    y = emit("Gather", emit.constant(guesses), place)
    for _ in range(_steps(guesses)):
        y = emit("Div", emit("Add", y, emit("Div", x, y)), site.number(2, np.int64))
    is_above = site.cast(emit("Greater", emit("Mul", y, y), x), np.int64)
    return emit("Sub", y, is_above)


def _guesses(most: int) -> npt.NDArray[np.int64]:
    """Numbers from 1 to the first above `most`, each 2**(1 / _A_DOUBLING) times the one before, or 1 more."""
    count = _A_DOUBLING * (most + 1).bit_length()
    found = np.unique(np.floor(2.0 ** (np.arange(count + 1) / _A_DOUBLING)).astype(np.int64))
    return found[: np.searchsorted(found, most, "right") + 1]


def _steps(guesses: npt.NDArray[np.int64]) -> int:
    """Newton steps after which every guess is less than 1 above the root: the least root of a guess is the worst."""
    roots, y, steps = guesses[:-1].astype(np.float64), guesses[1:].astype(np.float64), 0
    while (y - roots).max() > _NEAR:
        y, steps = (y + roots * roots / y) / 2, steps + 1
    return steps
