"""Picojoules of what an accelerator does: arithmetic, its buffer, and memory outside.

After Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, figure 1.1.9: a chip of 45 nm at
0.9 V. Newer chips take less of each, in about the same proportions. What is not modelled: leakage, the clock's tree,
wires between parts, control. So ratios say more than numbers, and numbers are from below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unisono.compress.report.energy import CACHE_PJ_A_BYTE, MEMORY_PJ_A_BYTE, MULTIPLY_ADD_PJ
from unisono.place.accelerator.array import Array
from unisono.place.accelerator.bounds import Bounds
from unisono.place.accelerator.memory import Widths
from unisono.place.accelerator.steps import Kind, Product, Rowwise, Step

BUFFER_PJ_A_BYTE = Bounds(10.0 / 8, CACHE_PJ_A_BYTE)
"""Of a memory on the chip: of 8 kB, and of 1 MB."""

OUTSIDE_PJ_A_BYTE = Bounds(MEMORY_PJ_A_BYTE / 2, MEMORY_PJ_A_BYTE)
"""Of DRAM: both ends of what is said there."""


@dataclass(frozen=True, slots=True)
class Operations:
    """Of one number: multiplications, additions (and comparisons), divisions."""

    multiplications: float
    additions: float
    divisions: float = 0.0

    def picojoules(self, prices: Operations) -> float:
        """At the price of each."""
        return (
            self.multiplications * prices.multiplications
            + self.additions * prices.additions
            + self.divisions * prices.divisions
        )


INTEGER_PRICES = Operations(3.1, 0.1, 3.2)
"""32 bits; a division is a subtraction for each bit of the quotient, which is what divides in the published design."""

FLOAT_PRICES = Operations(3.7, 0.9, 26.3)
"""32 bits; a division takes 7.1 times a multiplication, measured on a Cortex-M4F (PMC8934428, table 3)."""

INTEGER_ROWS: Mapping[Kind, Operations] = {
    "softmax": Operations(4, 10, 3),
    "gelu": Operations(2, 4),
    "norm": Operations(1, 5, 1),
    "residual": Operations(0, 1),
    "lookup": Operations(0, 1),
    "feature": Operations(2, 5, 1),
    "divide": Operations(0, 0, 1),
}
"""Counted in the published design: its softmax computes every exponential twice, for the sum and for the share."""

FLOAT_ROWS: Mapping[Kind, Operations] = {
    "softmax": Operations(8, 10, 1),
    "gelu": Operations(12, 10, 1),
    "norm": Operations(3, 4),
    "residual": Operations(0, 1),
    "lookup": Operations(0, 1),
    "feature": Operations(7, 8),
    "divide": Operations(0, 0, 1),
}
"""Counted in the usual single-precision code: exp as a polynomial of degree 5 with its reduction, erf as a rational."""

INTEGER_RESULT = Operations(1, 1)
"""Requantisation of a sum: a product and a shift."""

FLOAT_RESULT = Operations(2, 2)
"""A sum to a float and back to 8 bits: two scales, a bias, a rounding."""

NOTHING = Operations(0, 0)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """What numbers are made of.

    name:   of it.
    bits:   of the numbers that are multiplied: 8 or 32.
    rows:   operations of the row functions, by kind; prices of each.
    result: operations that a sum takes to become a number again.
    widths: bytes of numbers.
    """

    name: str
    bits: int
    rows: Mapping[Kind, Operations]
    prices: Operations
    result: Operations
    widths: Widths

    def step_pj(self, step: Step, array: Array) -> Bounds:
        """Of a step's arithmetic. low: multiplications that count; high: all that are clocked."""
        if isinstance(step, Rowwise):
            energy = step.numbers * self.rows[step.kind].picojoules(self.prices)
            return Bounds(energy, energy)
        return self._product_pj(step, array)

    def _product_pj(self, product: Product, array: Array) -> Bounds:
        price, result = MULTIPLY_ADD_PJ[self.bits], product.results * self.result.picojoules(self.prices)
        return Bounds(product.multiplications * price + result, array.clocked(product) * price + result)


ARITHMETICS: Mapping[str, Arithmetic] = {
    one.name: one
    for one in (
        Arithmetic("fp32", 32, FLOAT_ROWS, FLOAT_PRICES, NOTHING, Widths(4, 4, 4)),
        Arithmetic("int8", 8, FLOAT_ROWS, FLOAT_PRICES, FLOAT_RESULT, Widths(1, 1, 4)),
        Arithmetic("integer", 8, INTEGER_ROWS, INTEGER_PRICES, INTEGER_RESULT, Widths(1, 1, 4)),
    )
}
"""fp32: all in floats. int8: products in 8 bits, the rest in floats, as post-training quantisation leaves it. integer:
all in whole numbers; 8 bits between steps, 32 inside."""
