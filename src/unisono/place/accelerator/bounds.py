"""A number that a model knows within bounds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between low and high, both of which the model can say how they come about."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """The geometric mean.

        >>> Bounds(1.0, 4.0).middle
        2.0
        """
        return math.sqrt(self.low * self.high)

    def times(self, factor: float) -> Bounds:
        """Both ends, by a factor that is not negative."""
        return Bounds(self.low * factor, self.high * factor)


def total(parts: Iterable[Bounds]) -> Bounds:
    """The sum of low ends and that of high ends.

    >>> total([Bounds(1, 2), Bounds(3, 5)])
    Bounds(low=4, high=7)
    """
    found = list(parts)
    return Bounds(sum(one.low for one in found), sum(one.high for one in found))
