"""What a network begins with."""

from __future__ import annotations

import numpy as np

from unisono.compress.integer import floating
from unisono.compress.integer.encoder import Floats, Squares, Words
from unisono.compress.integer.growing import Aim, Growing, Value
from unisono.compress.integer.matrices import Whole
from unisono.compress.integer.rounding import int32
from unisono.compress.integer.scales import residual, uniform
from unisono.kernel.integer.network import BYTE_TOP, Embedding, Patches, Prepend

_SUM_TOP = 32767  # of a word and its position: what the sum of a row's squares in a Norm is made for
_WORD_TOP = 127


def words(made: Growing, stem: Words, ids: Whole) -> Value:
    """Words and positions added up, for a Norm."""
    instruction, scale = embedding_of(stem)
    numbers = floating.summed(stem, ids, made.bounds)
    return made.add(instruction, Aim(uniform(scale, 0, _SUM_TOP, numbers.shape[1]), numbers))


def embedding_of(stem: Words) -> tuple[Embedding, float]:
    """Words in 8 bits, each with a factor; and the unit of the sums, in which factors are whole."""
    scale = 2 * float(np.abs(stem.words).max() + np.abs(stem.positions).max()) / _SUM_TOP
    widest = np.abs(stem.words).max(axis=1)
    factors = np.maximum(np.ceil(widest / _WORD_TOP / scale), 1).astype(np.int64)
    whole = np.rint(stem.words / (factors[:, np.newaxis] * scale)).astype(np.int8)
    places = np.rint(stem.positions / scale).astype(np.int64)
    lowest = int((whole.min(axis=1) * factors).min() + places.min())
    positions = (places - lowest).astype(np.int32)
    return Embedding("embedding", whole, factors.astype(np.int32), positions), scale


def squares(made: Growing, stem: Squares, patches: Whole, scale: float) -> Value:
    """Patches, multiplied, with a row before them.

    patches: rows of numbers of 8 bits, image after image.
    scale:   of the residual.
    """
    numbers = patches / BYTE_TOP
    width = patches.shape[1]
    units = uniform(1 / BYTE_TOP, 0, BYTE_TOP, width)
    given = made.add(Patches("patches", stem.count, width), Aim(units, numbers))
    units = residual(scale, len(stem.first))
    product = made.linear("patch product", given, stem.dense, Aim(units, floating.dense(stem.dense, numbers)))
    first, places = np.rint(stem.first / scale) + units.zero, np.rint(stem.positions / scale)
    name = "first row"
    prepend = Prepend(name, product.place, int32(name, first), int32(name, places), units.top)
    found = made.add(prepend, Aim(units, floating.joined(stem, numbers, made.bounds)))
    made.bounds = made.bounds + np.arange(len(made.bounds))
    return found


def patches_of(images: Floats, stem: Squares) -> Whole:
    """Images as rows of patches in 8 bits. images: count x channels x height x width, 0 to 1."""
    count, channels, height, width = images.shape
    side = stem.side
    codes = np.clip(np.rint(images * BYTE_TOP), 0, BYTE_TOP).astype(np.int64)
    cut = codes.reshape(count, channels, height // side, side, width // side, side)
    return cut.transpose(0, 2, 4, 1, 3, 5).reshape(-1, channels * side * side)
