"""What integer attention computes, in plain Python, whose whole numbers have no end: this file decides."""

from __future__ import annotations

from collections.abc import Sequence

from unisono.compress.attention.integers import MEAN_BITS, TOP, IntegerAttention, Linear

Row = list[int]


def answers(layer: IntegerAttention, events: Sequence[Sequence[int]]) -> list[Row]:
    """Of a whole sequence: each event sees itself and all before it."""
    parts = [_features(layer, list(event)) for event in events]
    made = []
    for place, (query, _, _) in enumerate(parts):
        means: Row = []
        for head in range(layer.heads):
            own = slice(head * layer.size, (head + 1) * layer.size)
            seen = [(key[own], value[own]) for _, key, value in parts[: place + 1]]
            means += _mean(query[own], seen)
        made.append(_linear(layer.out, means))
    return made


def _mean(query: Row, seen: Sequence[tuple[Row, Row]]) -> Row:
    """By the products of features, to the nearest of 2**-MEAN_BITS, halves up."""
    weights = [sum(x * y for x, y in zip(query, key, strict=True)) for key, _ in seen]
    whole = sum(weights)
    sums = [
        sum(weight * value[place] for weight, (_, value) in zip(weights, seen, strict=True))
        for place in range(len(query))
    ]
    return [((one << (MEAN_BITS + 1)) + whole) // (2 * whole) for one in sums]


def _features(layer: IntegerAttention, event: Row) -> tuple[Row, Row, Row]:
    query = [int(layer.query_features[x + TOP]) for x in _linear(layer.query, event)]
    key = [int(layer.key_features[x + TOP]) for x in _linear(layer.key, event)]
    return query, key, _linear(layer.value, event)


def _linear(one: Linear, given: Row) -> Row:
    rows = zip(one.weights.tolist(), one.bias.tolist(), one.multiplier.tolist(), strict=True)
    sums = [(sum(x * y for x, y in zip(given, row, strict=True)) + bias) * multiplier for row, bias, multiplier in rows]
    return [min(max((x + (1 << one.shift >> 1)) >> one.shift, -TOP), TOP) for x in sums]
