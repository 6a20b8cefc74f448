"""From where to where the numbers of each column go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from unisono.kernel.integer.network import Rescale

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the most that each column of a matrix holds: int64, one a column.

    >>> Range.of(0, 255, 2) * np.array([1, -1]) + 5
    Range(low=array([   5, -250]), high=array([260,   5]))
    """

    low: Int64s
    high: Int64s

    @classmethod
    def of(cls, low: int, high: int, width: int) -> Self:
        """The same for every column."""
        return cls(np.full(width, low, np.int64), np.full(width, high, np.int64))

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self.low)

    @property
    def least(self) -> int:
        """Of all columns."""
        return int(self.low.min())

    @property
    def most(self) -> int:
        """Of all columns."""
        return int(self.high.max())

    @property
    def size(self) -> int:
        """The largest absolute value."""
        return max(abs(self.least), abs(self.most))

    def __add__(self, other: Range | npt.NDArray[Any] | int) -> Range:
        if isinstance(other, Range):
            return Range(self.low + other.low, self.high + other.high)
        return Range(self.low + other, self.high + other)

    def __sub__(self, other: Range | npt.NDArray[Any] | int) -> Range:
        if isinstance(other, Range):
            return Range(self.low - other.high, self.high - other.low)
        return Range(self.low - other, self.high - other)

    def __mul__(self, other: Range | npt.NDArray[Any] | int) -> Range:
        factors = (other.low, other.high) if isinstance(other, Range) else (np.asarray(other, np.int64),)
        ends = [end * factor for end in (self.low, self.high) for factor in factors]
        return Range(np.minimum.reduce(ends), np.maximum.reduce(ends))

    def clipped(self, low: int, high: int) -> Range:
        """After a clip."""
        return Range(self.low.clip(low, high), self.high.clip(low, high))

    def shifted(self, bits: int) -> Range:
        """After the lowest bits are dropped."""
        return Range(self.low >> bits, self.high >> bits)

    def or_(self, other: Range) -> Range:
        """Of numbers that are in one of the two."""
        return Range(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def inner(self, weights: npt.NDArray[np.int8]) -> Range:
        """Of the products with weights, inputs x outputs, added up in any order: what is on the way is in it too."""
        positive, negative = np.maximum(weights, 0).astype(np.int64), np.minimum(weights, 0).astype(np.int64)
        low, high = np.minimum(self.low, 0), np.maximum(self.high, 0)
        return Range(low.dot(positive) + high.dot(negative), high.dot(positive) + low.dot(negative))

    def summed(self, parts: int = 1) -> Range:
        """Of sums over so many equal parts of the columns, in any order."""
        low, high = self.low.clip(max=0).reshape(parts, -1), self.high.clip(min=0).reshape(parts, -1)
        return Range(low.sum(axis=1), high.sum(axis=1))


def of_words(words: npt.NDArray[np.int8], factors: npt.NDArray[np.int32]) -> Range:
    """Of words[id] * factors[id], for every id."""
    whole = Range.of(2**62, -(2**62), words.shape[1])
    for start in range(0, len(words), _WORDS):
        products = words[start : start + _WORDS].astype(np.int64) * factors[start : start + _WORDS, None]
        whole = whole.or_(Range(products.min(axis=0), products.max(axis=0)))
    return whole


_WORDS = 1024  # at a time: a vocabulary of 30,000 in 64 bits is 100 MB


def largest_before_shift(rescale: Rescale) -> int:
    """To where a rescaling clips."""
    return ((rescale.top + 1) << rescale.shift) - 1
