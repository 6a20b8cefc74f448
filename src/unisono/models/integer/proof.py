"""Shows of a given network that no number it computes leaves its type, whatever it is given: interval analysis.

Every instruction is gone through once, with the actual weights, multipliers, offsets and shifts, and with what the
registers before it can hold, column by column. The bounds of a sum are those of its positive and of its negative part,
so they hold for every order of adding up. What the intervals alone cannot show is said where it is used (`_norm`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from unisono.kernel.integer.functions import Bytes, Function, Gelu, Polynomial
from unisono.kernel.integer.network import (
    BYTE_TOP,
    INVERSE_BITS,
    KEY_ZERO,
    NORM_BITS,
    NORM_SHIFT,
    QUERY_ZERO,
    Activation,
    Add,
    Attention,
    Embedding,
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
from unisono.models.integer.proving import (
    BYTE,
    EPSILON,
    FRACTION,
    INT32,
    KEY,
    PAIR,
    POSITIVE,
    REGISTER,
    SHIFT,
    SQUARES,
    TOTAL,
    VALUE,
    WEIGHT,
    Limit,
    Proof,
    Proving,
)
from unisono.models.integer.ranges import Range, largest_before_shift, of_words
from unisono.spec.errors import ModelError

Written = tuple[Range, int]
"""What an instruction writes: the range of each column, and the most rows."""

_RESULT_SHIFT = INVERSE_BITS - 1


def proved(network: Network) -> Proof:
    """The bounds of every number of a network.

    Raises ModelError that names the first instruction with a number that could leave its type, the bound, and what to
    do; or whose arrays or registers do not fit each other.
    Cost: one pass over the weights.
    """
    if not network.instructions:
        raise ModelError("network: no instructions; allowed: an Embedding or Patches, then others; add them")
    proving = Proving(network)
    last = len(network.instructions) - 1
    for place, one in enumerate(network.instructions):
        if isinstance(one, Embedding | Patches) != (place == 0):
            raise proving.refused(f"it is number {place}", "Embedding or Patches first, and nowhere else", "reorder")
        if isinstance(one, Scores) and place < last:
            raise proving.refused("it is followed by others", "Scores as the last: they may be below 0", "reorder")
        register, rows = _RULES[type(one)](one, proving)
        if place == last:
            proving.within("answer less zero", register - network.zero)
        proving.finish(register, rows, INT32 if isinstance(one, Scores) else REGISTER)
    return Proof(tuple(proving.done))


def _embedding(one: Embedding, proving: Proving) -> Written:
    proving.same("factors", one.factors.shape, (len(one.words),))
    proving.same("columns of positions", one.positions.shape[1], one.words.shape[1])
    words = of_words(one.words, one.factors)
    proving.within("word times factor", words)
    places = Range(one.positions.min(axis=0).astype(np.int64), one.positions.max(axis=0).astype(np.int64))
    return words + places, len(one.positions)


def _patches(one: Patches, proving: Proving) -> Written:
    return Range.of(0, BYTE_TOP, one.width), one.count


def _prepend(one: Prepend, proving: Proving) -> Written:
    given, rows = proving.given(one.given), proving.rows(one.given) + 1
    proving.same("columns of row", one.row.shape, (given.width,))
    proving.same("positions", one.positions.shape, (rows, given.width))
    places = one.positions.astype(np.int64)
    first = Range(one.row + places[0], one.row + places[0])
    moved = first.or_(given + Range(places[1:].min(axis=0), places[1:].max(axis=0)))
    proving.within("sum", moved)
    return moved.clipped(0, one.top), rows


def _rescaled(given: Range, rescale: Rescale, proving: Proving) -> Range:
    proving.same("multipliers", rescale.multiplier.shape, (given.width,))
    proving.same("offsets", rescale.offset.shape, (given.width,))
    proving.within("shift", (rescale.shift, rescale.shift), SHIFT)
    most = largest_before_shift(rescale)
    proving.within("largest before the shift", (0, most))
    product = given * rescale.multiplier
    proving.within("times multiplier", product)
    moved = product + rescale.offset
    proving.within("plus offset", moved)
    return moved.clipped(0, most).shifted(rescale.shift)


def _product(given: Range, weights: Any, proving: Proving) -> Range:
    """The inner products of a register of 8 bits with weights."""
    proving.within("given", given, BYTE)
    proving.same("rows of weights", weights.shape[0], given.width)
    proving.within("weights", (int(weights.min()), int(weights.max())), WEIGHT)
    size = 2 * given.most * int(np.abs(weights.astype(np.int16)).max())
    proving.within("pair of products", (-size, size), PAIR)
    sums = given.inner(weights)
    proving.within("inner product", sums)
    return sums


def _linear(one: Linear, proving: Proving) -> Written:
    sums = _product(proving.given(one.given), one.weights, proving)
    return _rescaled(sums, one.rescale, proving), proving.rows(one.given)


def _scores(one: Scores, proving: Proving) -> Written:
    sums = _product(proving.given(one.given), one.weights, proving)
    proving.same("biases", one.bias.shape, (sums.width,))
    return sums + one.bias, proving.rows(one.given)


def _activation(one: Activation, proving: Proving) -> Written:
    given, table = proving.given(one.given), _table(one.function, proving)
    step = "give it a table of all that the register can hold"
    proving.within("argument", given, Limit("its table", 0, len(table) - 1, step))
    return Range.of(int(table.min()), int(table.max()), given.width), proving.rows(one.given)


def _table(function: Function, proving: Proving) -> Bytes:
    """Of a function whose operators keep within their types."""
    if isinstance(function, Gelu):
        _gelu(function, proving)
    if isinstance(function, Polynomial):
        _parabola(function, proving)
    return function.table()


def _gelu(gelu: Gelu, proving: Proving) -> None:
    """What its operators compute on the way, argument by argument."""
    x = np.arange(gelu.top + 1) - gelu.zero
    near = np.minimum(np.abs(x), gelu.bend)
    bump = near * (gelu.bend - near) ** 2
    proving.within("slope times argument", _span(gelu.slope * np.maximum(x, 0)))
    proving.within("bump", _span(bump))
    whole = gelu.slope * np.maximum(x, 0) - bump + gelu.offset
    proving.within("before the shift", _span(whole), POSITIVE)
    proving.within("shift", (gelu.shift, gelu.shift), SHIFT)
    proving.within("value", _span(whole >> gelu.shift), VALUE)


def _parabola(exponential: Polynomial, proving: Proving) -> None:
    proving.within("fraction", (exponential.fraction, exponential.fraction), FRACTION)
    proving.within("shift", (exponential.down, exponential.down), SHIFT)
    squares = (exponential.center - np.arange(1 << exponential.fraction)) ** 2
    proving.within("square of the parabola", _span(squares))
    whole = squares + exponential.rest
    proving.within("parabola", _span(whole), POSITIVE)
    proving.within("value", _span(whole >> exponential.down), VALUE)


def _attention(one: Attention, proving: Proving) -> Written:
    query, key, value = (proving.given(place) for place in (one.query, one.key, one.value))
    rows = proving.rows(one.key)
    proving.same("columns of keys and values", (key.width, value.width), (query.width, query.width))
    proving.same("rows of values", proving.rows(one.value), rows)
    proving.same("columns beyond whole heads", query.width % one.heads, 0)
    for what, found, limit in (("queries", query, BYTE), ("keys", key, KEY), ("values", value, KEY)):
        proving.within(what, found, limit)
    table = _table(one.exponential, proving)
    _scored(one, query, key - KEY_ZERO, proving)
    _weighted(table, value - KEY_ZERO, rows, proving)
    most = KEY_ZERO << INVERSE_BITS
    half = (1 << (_RESULT_SHIFT - 1)) + (QUERY_ZERO << _RESULT_SHIFT)
    proving.within("weighted values over the sum", (half - most, half + most))
    return Range.of((half - most) >> _RESULT_SHIFT, (half + most) >> _RESULT_SHIFT, query.width), proving.rows(
        one.query
    )


def _scored(one: Attention, query: Range, key: Range, proving: Proving) -> None:
    """Scores, and how far below the largest one they can be."""
    for zero in (0, QUERY_ZERO):  # products of 8 bits, before and after the zero point is taken off
        scores = ((query - zero) * key).summed(one.heads)
        proving.within("score" if zero else "score with the zero point in it", scores)
    gap = int((scores.high - scores.low).max())
    extra = 0
    if isinstance(one.exponential, Polynomial):
        extra = one.exponential.down << one.exponential.fraction
    proving.within("largest score less a score", (0, gap + extra))
    proving.within("largest score and what is added", (scores.least + extra, scores.most + extra))


def _weighted(table: Bytes, value: Range, rows: int, proving: Proving) -> None:
    """Sums of at most so many values by their weights. Divided by the sum of weights they are no larger than a value:
    |sum of w * v| * (2**b // sum of w) <= max |v| * sum of w * 2**b / sum of w."""
    top = int(table.max())
    proving.within("sum of weights", (int(table[0]), top * rows), TOTAL)
    proving.within("weighted values", (value * (top * rows)).or_(Range.of(0, 0, value.width)))


def _norm(one: Norm, proving: Proving) -> Written:
    """No number of a row is larger than the root of its squares, so over the root it is 1 at most."""
    given = proving.given(one.given)
    width, half = given.width, given.width // 2
    total = given.summed()
    proving.within("sum of the row", total + half)
    mean = Range((total.low + half) // width, (total.high + half) // width)
    centred = given - mean
    proving.within("less the mean", centred)
    proving.within("square", (0, centred.size**2), SQUARES)
    proving.within("epsilon", (one.epsilon, one.epsilon), EPSILON)
    squares = _most_squares(given) + one.epsilon
    proving.within("sum of squares", (one.epsilon, squares), SQUARES)
    proving.within("root", (isqrt(one.epsilon), isqrt(squares)))
    proving.within("over the root", (0, 2 << NORM_BITS))
    over = Range.of(0, 2 << (NORM_BITS - NORM_SHIFT), width)
    return _rescaled(over, one.rescale, proving), proving.rows(one.given)


def _most_squares(given: Range) -> int:
    """Of a row less its mean: no more than less any other number, but for width / 4, since the mean is rounded."""
    middle = round((sum(given.low.tolist()) + sum(given.high.tolist())) / (2 * given.width))
    pairs = zip(given.low.tolist(), given.high.tolist(), strict=True)
    largest: list[int] = [max(abs(low - middle), abs(high - middle)) for low, high in pairs]
    return sum(one * one for one in largest) + given.width


def _add(one: Add, proving: Proving) -> Written:
    left, right = proving.given(one.left), proving.given(one.right)
    proving.same("columns on the right", right.width, left.width)
    proving.same("rows on the right", proving.rows(one.right), proving.rows(one.left))
    if one.top is None:
        proving.same("zero", one.zero, 0)
    proving.within("sum", left + right)
    found = left + right - one.zero
    proving.within("sum less zero", found)
    return (found if one.top is None else found.clipped(0, one.top)), proving.rows(one.left)


def _requantise(one: Requantise, proving: Proving) -> Written:
    return _rescaled(proving.given(one.given), one.rescale, proving), proving.rows(one.given)


def _pool(one: Pool, proving: Proving) -> Written:
    given, rows = proving.given(one.given), proving.rows(one.given)
    if one.kind == "mean":
        proving.within("sum of rows", (0, given.most * rows + rows // 2))
    return given, 1


def _span(values: npt.NDArray[np.int64]) -> tuple[int, int]:
    return int(values.min()), int(values.max())


_RULES: Mapping[type, Callable[[Any, Proving], Written]] = {
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
"""Instruction -> what it computes on the way, and what it writes."""
