"""Weights as whole numbers with scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Per = Literal["channel", "tensor"]

SAFE = 63
"""Largest weight that no processor saturates: old x86 adds pairs of products of 8 bits in 16 (255 * 63 * 2 < 2**15)."""

FULL = 127
_SMALLEST = np.float32(1e-30)


@dataclass(frozen=True, slots=True)
class Whole:
    """Weights as whole numbers.

    numbers: int8, in the shape of the weights.
    scale:   float32, of each channel; times a number it is the weight.
    axis:    the axis of the channels.
    """

    numbers: NDArray[np.int8]
    scale: NDArray[np.float32]
    axis: int

    @property
    def wide(self) -> NDArray[np.float32]:
        """The scale with an axis of 1 for each other axis of the weights."""
        return _along(self.scale, self.axis, self.numbers.ndim)

    def floats(self) -> NDArray[np.float32]:
        """What the weights have become."""
        return self.numbers.astype(np.float32) * self.wide


def whole(weights: NDArray[Any], axis: int, *, largest: int, per: Per) -> Whole:
    """Weights rounded to a grid that is symmetric about zero, whose ends are the largest weight's.

    axis:    of the channels.
    largest: of the numbers.
    per:     whether each channel has a scale of its own.
    """
    floats = np.asarray(weights, np.float32)
    others = tuple(one for one in range(floats.ndim) if one != axis)
    tops = np.abs(floats).max(axis=others) if per == "channel" else np.full(floats.shape[axis], np.abs(floats).max())
    scale = np.maximum(tops, _SMALLEST).astype(np.float32) / np.float32(largest)
    numbers = np.clip(np.round(floats / _along(scale, axis, floats.ndim)), -largest, largest).astype(np.int8)
    return Whole(numbers, scale, axis)


def _along(scale: NDArray[np.float32], axis: int, rank: int) -> NDArray[np.float32]:
    return scale.reshape([-1 if one == axis else 1 for one in range(rank)])
