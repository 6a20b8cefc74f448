"""Bytes that a step moves: between the array and its buffer, and between the buffer and memory outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unisono.place.accelerator.array import Array
from unisono.place.accelerator.bounds import Bounds
from unisono.place.accelerator.checking import check_amounts
from unisono.place.accelerator.steps import Kind, Product, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A buffer beside the array, and memory outside.

    buffer_bytes:   what is larger is kept outside.
    holds_weights:  whether all weights are on the chip, so that they are not fetched for every row.
    bytes_a_second: from outside; usually those of a channel of 16 bits of LPDDR4-3200.

    Raises DefinitionError.
    """

    buffer_bytes: int = 1 << 20
    holds_weights: bool = False
    bytes_a_second: float = 6.4e9

    def __post_init__(self) -> None:
        check_amounts("memory", self, {"buffer_bytes": 0, "bytes_a_second": 1})


@dataclass(frozen=True, slots=True)
class Widths:
    """Bytes of a number: between steps, of weights, and in rows that a unit reads several times."""

    given: int
    weight: int
    row: int


PASSES: Mapping[Kind, int] = {
    "softmax": 4,
    "norm": 4,
    "residual": 1,
    "lookup": 2,
    "gelu": 0,
    "feature": 0,
    "divide": 0,
}
"""Times that a row function has a row in the buffer: softmax and normalisation read it thrice and write it; what is
done number by number is done on the way there."""


def buffer_bytes(step: Step, array: Array, widths: Widths) -> float:
    """Between array and buffer: both sides once for every tile, results once; rows as often as they are read."""
    if isinstance(step, Product):
        sides = array.rows * widths.given + array.columns * (widths.weight if step.learnt else widths.given)
        return float(array.tiles(step) * step.depth * sides + step.results * widths.given)
    return float(PASSES[step.kind] * step.numbers * widths.row)


def outside_bytes(step: Step, array: Array, memory: Memory, widths: Widths) -> Bounds:
    """Between buffer and memory outside: weights once, and results that do not fit, written and read.

    low:  of scores only as many rows as the array has are kept at once.
    high: a head's scores are kept as a whole.
    """
    if not isinstance(step, Product):
        fetched = step.numbers * widths.weight if step.kind == "lookup" else 0
        return Bounds(fetched, fetched)
    weights = 0 if memory.holds_weights else step.weights * widths.weight
    width = widths.given if step.learnt else widths.row
    whole = step.rows * step.columns * width
    kept = whole if step.learnt else min(step.rows, array.rows) * step.columns * width
    low, high = (2 * step.times * whole if size > memory.buffer_bytes else 0 for size in (kept, whole))
    return Bounds(weights + low, weights + high)
