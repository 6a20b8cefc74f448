"""Means, and what is made of means: each with an interval from what every single row adds to it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from unisono.compress.report.document import Interval
from unisono.compress.report.statistics.proportions import CONFIDENCE

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number that was estimated from rows.

    value: of it.
    moves: a row: what it moves the number by, times the number of rows (its influence; their mean is 0).

    Estimates of the same rows may be subtracted: their moves are, too, so that what rows have in common is gone.
    """

    value: float
    moves: Numbers

    def __sub__(self, other: Estimate) -> Estimate:
        return Estimate(self.value - other.value, self.moves - other.moves)

    def __mul__(self, factor: float) -> Estimate:
        return Estimate(self.value * factor, self.moves * factor)

    @property
    def error(self) -> float:
        """Its standard error: the delta method, or infinitesimal jackknife (Efron, 1982)."""
        rows = len(self.moves)
        return float(np.sqrt((self.moves**2).sum() / (rows * max(rows - 1, 1)))) if rows else 0.0

    def interval(self, confidence: float = CONFIDENCE) -> Interval:
        """With Student's quantile of as many rows."""
        reach = float(stats.t.ppf(0.5 + confidence / 2, max(len(self.moves) - 1, 1))) * self.error
        return Interval(self.value, self.value - reach, self.value + reach)

    def chance_of_zero(self) -> float:
        """The chance of a number as far from 0 or farther, if it is 0."""
        if self.error == 0:
            return 1.0 if self.value == 0 else 0.0
        return float(2 * stats.t.sf(abs(self.value) / self.error, max(len(self.moves) - 1, 1)))


def mean(values: Numbers) -> Estimate:
    """The mean of some values; at least one."""
    middle = float(values.mean())
    return Estimate(middle, values - middle)


def root_mean_square(errors: Numbers) -> Estimate:
    """The root of the mean of the squares of some errors."""
    squares = mean(errors**2)
    root = math.sqrt(squares.value)
    return Estimate(root, squares.moves / (2 * root) if root else np.zeros_like(errors))


def explained(errors: Numbers, truth: Numbers) -> Estimate:
    """The share of the truth's variance that is explained: 1 less the mean squared error over the variance (R2).

    Of a truth that does not vary: 1 if there is no error, else 0.
    """
    squares, spread = mean(errors**2), mean((truth - truth.mean()) ** 2)
    if spread.value == 0:
        return Estimate(float(squares.value == 0), np.zeros_like(errors))
    ratio = squares.value / spread.value
    return Estimate(1 - ratio, (ratio * spread.moves - squares.moves) / spread.value)
