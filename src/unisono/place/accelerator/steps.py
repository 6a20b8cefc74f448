"""What an encoder does, as an accelerator sees it: products of matrices, and functions of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["softmax", "gelu", "norm", "residual", "lookup", "feature", "divide"]
"""What is done with a row: its softmax, GELU number by number, layer normalisation, the addition of another row, that
of a row of a table, a feature map (an exponential and an addition), or a division by a number of the row's own."""


@dataclass(frozen=True, slots=True)
class Product:
    """(rows x depth) @ (depth x columns), `times` over (heads).

    learnt: whether the right side is weights, which have to be fetched.
    """

    name: str
    rows: int
    depth: int
    columns: int
    times: int = 1
    learnt: bool = True

    @property
    def multiplications(self) -> int:
        """Each with an addition."""
        return self.times * self.rows * self.depth * self.columns

    @property
    def weights(self) -> int:
        """Numbers that were learnt."""
        return self.times * self.depth * self.columns if self.learnt else 0

    @property
    def results(self) -> int:
        """Numbers that come out."""
        return self.times * self.rows * self.columns


@dataclass(frozen=True, slots=True)
class Rowwise:
    """A function of each of `rows` rows of `length` numbers."""

    name: str
    kind: Kind
    rows: int
    length: int

    @property
    def numbers(self) -> int:
        """Of all rows."""
        return self.rows * self.length


Step = Product | Rowwise
