"""An output-stationary array of multipliers and its row units: cycles, as the published design is simulated."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from unisono.place.accelerator.bounds import Bounds
from unisono.place.accelerator.checking import check_amounts, check_counts
from unisono.place.accelerator.steps import Product, Rowwise, Step

ROOT_CYCLES = Bounds(4, 17)
"""Of the square root of a large word, and of 1: kernel/integer/units/swifttron.py, simulated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """rows x columns multipliers with a sum each; a unit for non-linear functions beside every row.

    Bytes of a row and of a column go in, a pair a cycle; then sums come out, a column a cycle, through requantisation.

    rows, columns: of multipliers.
    clock_hz:      cycles a second.
    registers:     cycles that registers at its edges add to a tile: 0, or 2 as in the published design's second kind.

    Raises DefinitionError.
    """

    rows: int = 32
    columns: int = 32
    clock_hz: float = 200e6
    registers: int = 0

    def __post_init__(self) -> None:
        check_counts("array", self, {"rows": 1, "columns": 1, "registers": 0})
        check_amounts("array", self, {"clock_hz": 1})

    def tile_cycles(self, depth: int) -> int:
        """Of one tile of rows x columns sums.

        >>> Array(rows=32, columns=8).tile_cycles(384)
        392
        """
        return depth + self.columns + self.registers

    def tiles(self, product: Product) -> int:
        """That a product is cut into."""
        return product.times * ceil(product.rows / self.rows) * ceil(product.columns / self.columns)

    def busy_cycles(self, step: Step) -> Bounds:
        """Of the part that a step keeps busy: the array, or the row units."""
        if isinstance(step, Product):
            cycles = self.tiles(step) * self.tile_cycles(step.depth)
            return Bounds(cycles, cycles)
        return self.row_cycles(step).times(ceil(step.rows / self.rows))

    def row_cycles(self, step: Rowwise) -> Bounds:
        """Of as many rows as there are units; what is done number by number happens while columns come out.

        >>> Array().row_cycles(Rowwise("norm", "norm", 1, 384))
        Bounds(low=1158, high=1171)
        """
        if step.kind == "softmax":
            return Bounds(3 * step.length, 3 * step.length)
        if step.kind == "norm":
            return Bounds(3 * step.length + 2 + ROOT_CYCLES.low, 3 * step.length + 2 + ROOT_CYCLES.high)
        return Bounds(0, 0)

    def clocked(self, product: Product) -> int:
        """Multiplications that multipliers are clocked for, those of tiles that are not full included."""
        return self.tiles(product) * self.rows * self.columns * product.depth
