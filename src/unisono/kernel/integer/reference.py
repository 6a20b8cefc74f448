"""What an integer network computes, in plain Python: this file decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isqrt
from typing import Any

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

Row = list[int]
Matrix = list[Row]

_RESULT_SHIFT = INVERSE_BITS - 1  # values have 7 bits, and their means are given in 8


def answer(network: Network, given: Sequence[Any]) -> Matrix:
    """What a network says of one row: the last register.

    given: token ids; or of a network of images patches, each a list of numbers from 0 to 255.
    """
    return registers(network, given)[-1]


def registers(network: Network, given: Sequence[Any]) -> list[Matrix]:
    """The matrix of each instruction."""
    found: list[Matrix] = []
    for one in network.instructions:
        found.append(_MEANING[type(one)](one, found, given))
    return found


def rescaled(row: Row, rescale: Rescale) -> Row:
    """A row in other units."""
    most = ((rescale.top + 1) << rescale.shift) - 1
    steps = zip(row, rescale.multiplier.tolist(), rescale.offset.tolist(), strict=True)
    return [min(max(x * multiplier + offset, 0), most) >> rescale.shift for x, multiplier, offset in steps]


def _embedding(one: Embedding, found: list[Matrix], ids: Sequence[int]) -> Matrix:
    words, factors, positions = one.words, one.factors, one.positions
    return [
        [int(word) * int(factors[token]) + int(place) for word, place in zip(words[token], positions[at], strict=True)]
        for at, token in enumerate(ids)
    ]


def _patches(one: Patches, found: list[Matrix], given: Sequence[Sequence[int]]) -> Matrix:
    return [list(map(int, patch)) for patch in given]


def _prepend(one: Prepend, found: list[Matrix], given: object) -> Matrix:
    rows = [one.row.tolist(), *found[one.given]]
    places = one.positions.tolist()
    return [
        [min(max(x + place, 0), one.top) for x, place in zip(row, moved, strict=True)]
        for row, moved in zip(rows, places, strict=True)
    ]


def _product(matrix: Matrix, columns: list[Row]) -> Matrix:
    return [[sum(x * y for x, y in zip(row, column, strict=True)) for column in columns] for row in matrix]


def _linear(one: Linear, found: list[Matrix], given: object) -> Matrix:
    sums = _product(found[one.given], one.weights.T.tolist())
    return [rescaled(row, one.rescale) for row in sums]


def _scores(one: Scores, found: list[Matrix], given: object) -> Matrix:
    sums = _product(found[one.given], one.weights.T.tolist())
    return [[x + bias for x, bias in zip(row, one.bias.tolist(), strict=True)] for row in sums]


def _activation(one: Activation, found: list[Matrix], given: object) -> Matrix:
    table = one.function.table().tolist()
    return [[table[x] for x in row] for row in found[one.given]]


def _attention(one: Attention, found: list[Matrix], given: object) -> Matrix:
    table = one.exponential.table().tolist()
    queries, keys, values = found[one.query], found[one.key], found[one.value]
    size = len(queries[0]) // one.heads
    made: Matrix = [[] for _ in queries]
    for head in range(one.heads):
        part = slice(head * size, (head + 1) * size)
        own_keys = [[x - KEY_ZERO for x in row[part]] for row in keys]
        columns = [[x - KEY_ZERO for x in column] for column in zip(*(row[part] for row in values), strict=True)]
        for place, row in enumerate(queries):
            scores = _product([[x - QUERY_ZERO for x in row[part]]], own_keys)[0]
            weights = [table[min(max(scores) - score, len(table) - 1)] for score in scores]
            made[place] += _weighted(weights, columns)
    return made


def _weighted(weights: Row, columns: list[Row]) -> Row:
    """The mean of values by weights of 8 bits, in 8 bits."""
    inverse = (1 << INVERSE_BITS) // sum(weights)
    offset = (1 << (_RESULT_SHIFT - 1)) + (QUERY_ZERO << _RESULT_SHIFT)
    return [(sums * inverse + offset) >> _RESULT_SHIFT for sums in _product([weights], columns)[0]]


def _norm(one: Norm, found: list[Matrix], given: object) -> Matrix:
    return [rescaled(_normalised(row, one.epsilon), one.rescale) for row in found[one.given]]


def _normalised(row: Row, epsilon: int) -> Row:
    mean = (sum(row) + len(row) // 2) // len(row)
    centred = [x - mean for x in row]
    inverse = (1 << NORM_BITS) // isqrt(sum(x * x for x in centred) + epsilon)
    return [(x * inverse + (1 << NORM_BITS)) >> NORM_SHIFT for x in centred]


def _add(one: Add, found: list[Matrix], given: object) -> Matrix:
    pairs = zip(found[one.left], found[one.right], strict=True)
    sums = [[x + y - one.zero for x, y in zip(*rows, strict=True)] for rows in pairs]
    return sums if one.top is None else [[min(max(x, 0), one.top) for x in row] for row in sums]


def _requantise(one: Requantise, found: list[Matrix], given: object) -> Matrix:
    return [rescaled(row, one.rescale) for row in found[one.given]]


def _pool(one: Pool, found: list[Matrix], given: object) -> Matrix:
    rows = found[one.given]
    if one.kind == "first":
        return rows[:1]
    return [[(sum(column) + len(rows) // 2) // len(rows) for column in zip(*rows, strict=True)]]


_MEANING: dict[type, Callable[[Any, list[Matrix], Any], Matrix]] = {
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
