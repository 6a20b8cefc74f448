"""What the instructions of an integer network make of the rows of many texts at once, for whoever chooses its numbers.

The same as `kernel.integer.reference`, which decides, in matrices of int64; products are added up in float64, where
they are exact below 2**53. Rows of several texts stand under each other; `bounds` says where each begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from unisono.kernel.integer.network import (
    INVERSE_BITS,
    KEY_ZERO,
    NORM_BITS,
    NORM_SHIFT,
    QUERY_ZERO,
    Activation,
    Add,
    Attention,
    Embedding,
    Instruction,
    Linear,
    Network,
    Norm,
    Patches,
    Pool,
    Prepend,
    Requantise,
    Rescale,
    Scores,
)

Whole = npt.NDArray[np.int64]
Registers = Sequence[Whole]


def carried_out(one: Instruction, found: Mapping[int, Whole], given: Whole, bounds: Whole) -> Whole:
    """The register of an instruction.

    found:  the registers before it, of those that it reads.
    given:  token ids, or the rows of patches.
    bounds: of the texts, in the registers that it reads; of an Embedding or Prepend in what is given.
    """
    return _MEANING[type(one)](one, found, given, bounds)


def answered(network: Network, given: Whole, bounds: Whole) -> Whole:
    """The last register, one row a text or image."""
    last_read = {place: number for number, one in enumerate(network.instructions) for place in _reads(one)}
    found: dict[int, Whole] = {}
    for number, one in enumerate(network.instructions):
        found[number] = carried_out(one, found, given, bounds)
        found = {place: rows for place, rows in found.items() if place == number or last_read.get(place, 0) > number}
        bounds = bounds + np.arange(len(bounds)) if isinstance(one, Prepend) else bounds
    return found[len(network.instructions) - 1]


def _reads(one: Instruction) -> list[int]:
    """The registers that an instruction reads."""
    return [getattr(one, name) for name in ("given", "query", "key", "value", "left", "right") if hasattr(one, name)]


def product(left: Whole, right: npt.NDArray[Any]) -> Whole:
    """left @ right."""
    return (left.astype(np.float64) @ right.astype(np.float64)).astype(np.int64)


def rescaled(given: Whole, rescale: Rescale) -> Whole:
    """Rows in other units."""
    most = ((rescale.top + 1) << rescale.shift) - 1
    moved = given * rescale.multiplier.astype(np.int64) + rescale.offset.astype(np.int64)
    return np.clip(moved, 0, most) >> rescale.shift


def _embedding(one: Embedding, found: Mapping[int, Whole], given: Whole, bounds: Whole) -> Whole:
    places = np.arange(len(given)) - np.repeat(bounds[:-1], np.diff(bounds))
    words = one.words[given].astype(np.int64) * one.factors[given].astype(np.int64)[:, np.newaxis]
    return words + one.positions[places]


def _patches(one: Patches, found: Mapping[int, Whole], given: Whole, bounds: Whole) -> Whole:
    return given


def _prepend(one: Prepend, found: Mapping[int, Whole], given: Whole, bounds: Whole) -> Whole:
    rows = np.insert(found[one.given], bounds[:-1], one.row, axis=0)
    return np.clip(rows + np.tile(one.positions, (len(bounds) - 1, 1)), 0, one.top)


def _linear(one: Linear, found: Mapping[int, Whole], given: Whole, bounds: Whole) -> Whole:
    return rescaled(product(found[one.given], one.weights), one.rescale)


def _scores(one: Scores, found: Mapping[int, Whole], given: Whole, bounds: Whole) -> Whole:
    return product(found[one.given], one.weights) + one.bias


def _activation(one: Activation, found: Mapping[int, Whole], given: Whole, bounds: Whole) -> Whole:
    made: Whole = one.function.table()[found[one.given]].astype(np.int64)
    return made


def _attention(one: Attention, found: Mapping[int, Whole], given: Whole, bounds: Whole) -> Whole:
    table = one.exponential.table().astype(np.int64)
    query = found[one.query] - QUERY_ZERO
    key, value = found[one.key] - KEY_ZERO, found[one.value] - KEY_ZERO
    made = np.empty_like(query)
    size = query.shape[1] // one.heads
    for begin, end in pairwise(bounds):
        for start in range(0, query.shape[1], size):
            part = (slice(begin, end), slice(start, start + size))
            scores = product(query[part], key[part].T)
            far = np.minimum(scores.max(axis=1, keepdims=True) - scores, len(table) - 1)
            made[part] = _weighted(table[far], value[part])
    return made


def _weighted(weights: Whole, values: Whole) -> Whole:
    shift = INVERSE_BITS - 1
    inverse = (1 << INVERSE_BITS) // weights.sum(axis=1, keepdims=True)
    made: Whole = (product(weights, values) * inverse + (1 << (shift - 1)) + (QUERY_ZERO << shift)) >> shift
    return made


def _norm(one: Norm, found: Mapping[int, Whole], given: Whole, bounds: Whole) -> Whole:
    rows = found[one.given]
    width = rows.shape[1]
    centred = rows - (rows.sum(axis=1, keepdims=True) + width // 2) // width
    roots = [isqrt(square) for square in ((centred**2).sum(axis=1) + one.epsilon).tolist()]
    inverse = (1 << NORM_BITS) // np.array(roots, np.int64)[:, np.newaxis]
    return rescaled((centred * inverse + (1 << NORM_BITS)) >> NORM_SHIFT, one.rescale)


def _add(one: Add, found: Mapping[int, Whole], given: Whole, bounds: Whole) -> Whole:
    sums = found[one.left] + found[one.right] - one.zero
    return sums if one.top is None else np.clip(sums, 0, one.top)


def _requantise(one: Requantise, found: Mapping[int, Whole], given: Whole, bounds: Whole) -> Whole:
    return rescaled(found[one.given], one.rescale)


def _pool(one: Pool, found: Mapping[int, Whole], given: Whole, bounds: Whole) -> Whole:
    rows = found[one.given]
    if one.kind == "first":
        return rows[bounds[:-1]]
    lengths = np.diff(bounds)[:, np.newaxis]
    made: Whole = (np.add.reduceat(rows, bounds[:-1], axis=0) + lengths // 2) // lengths
    return made


_MEANING: Mapping[type, Callable[[Any, Mapping[int, Whole], Whole, Whole], Whole]] = {
    Embedding: _embedding,
    Patches: _patches,
    Prepend: _prepend,
    Linear: _linear,
    Scores: _scores,
    Activation: _activation,
    Attention: _attention,
    Norm: _norm,
    Add: _add,
    Requantise: _requantise,
    Pool: _pool,
}
