"""Functions of one small whole number that an integer network asks: the exponential of a softmax, and activations.

Each has few arguments, so that it is a table: what the kernel looks up, and what operators of a graph are checked
against, argument by argument.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


class Function(Protocol):
    """What is asked: the value at 0, 1, 2 and so on."""

    def table(self) -> Bytes:
        """Its values: one for each argument from 0."""
        ...


@dataclass(frozen=True)
class Table:
    """A function that is only known by its values, uint8."""

    values: Bytes = field(repr=False)

    def table(self) -> Bytes:
        """Its values."""
        return self.values


@dataclass(frozen=True)
class Polynomial:
    """exp(-d ln2 / 2**fraction) as I-BERT has it (Kim et al. 2021, section 3.4.2): with d = z * 2**fraction + r,
    ((center - r)**2 + rest) >> (z + down), where the parabola is exp on [-ln2, 0] up to a factor.

    fraction: bits of r.
    center, rest: of the parabola, in units of 2**-fraction of ln2.
    down:     so that d = 0 gives 8 bits.
    """

    fraction: int
    center: int
    rest: int
    down: int

    @property
    def last(self) -> int:
        """The first argument from which on the value is 0."""
        return (32 - self.down) << self.fraction

    def table(self) -> Bytes:
        """For d from 0 to `last`."""
        return self._table

    @cached_property
    def _table(self) -> Bytes:
        mask = (1 << self.fraction) - 1
        found = [
            ((self.center - (d & mask)) ** 2 + self.rest) >> ((d >> self.fraction) + self.down)
            for d in range(self.last)
        ]
        return np.array([*found, 0], np.uint8)


@dataclass(frozen=True)
class Gelu:
    """x * (1 + erf(x / sqrt(2))) / 2 with I-BERT's parabola for erf (Kim et al. 2021, section 3.4.1), which is
    relu(x) - bump * u * (bend - u)**2 with u = min(|x|, bend).

    The argument q is x + zero, from 0 to `top`; the value is (slope * relu(x) - u * (bend - u)**2 + offset) >> shift.
    """

    zero: int
    top: int
    bend: int
    slope: int
    offset: int
    shift: int

    def table(self) -> Bytes:
        """For q from 0 to `top`."""
        return self._table

    @cached_property
    def _table(self) -> Bytes:
        return np.array([self._at(q - self.zero) for q in range(self.top + 1)], np.uint8)

    def _at(self, x: int) -> int:
        near = min(abs(x), self.bend)
        return (self.slope * max(x, 0) - near * (self.bend - near) ** 2 + self.offset) >> self.shift
