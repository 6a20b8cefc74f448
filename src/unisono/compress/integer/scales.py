"""What a step of a register is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from unisono.compress.integer.encoder import Dense, Floats
from unisono.compress.integer.matrices import Whole
from unisono.kernel.integer.network import BYTE_TOP, WEIGHT_TOP

Calibration = Literal["minmax", "percentile", "mse"]

RESIDUAL_TOP = 16383
"""Largest number of a register that residuals are in."""

_ALPHAS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_SHARES = np.linspace(0.5, 1.0, 21)  # of a column's span, that are tried by squared error
_SAMPLE = 512  # rows that smoothing is tried on
_SPARE = 1.1  # residuals may be so many times what calibration saw
_LEAST = 1e-6  # span of a column, if all are always the same
_SHARE = 1 / 128  # of the widest column's span, that each has at least


@dataclass(frozen=True)
class Units:
    """What the codes of a register mean: number = (code - zero) * scale.

    scale, zero: one a column.
    top:         largest code.
    """

    scale: Floats = field(repr=False)
    zero: Whole = field(repr=False)
    top: int

    def real(self, codes: Whole) -> Floats:
        """Codes as numbers."""
        found: Floats = (codes - self.zero) * self.scale
        return found


def uniform(scale: float, zero: int, top: int, width: int) -> Units:
    """The same units in each column."""
    return Units(np.full(width, scale), np.full(width, zero), top)


@dataclass(frozen=True)
class Spans:
    """How the span of a column is found from the numbers that calibration saw in it.

    calibration: "minmax": all of them; "percentile": without a share at both ends; "mse": with the least squared error
                 after rounding.
    percentile:  of the numbers are kept, in the middle.
    """

    calibration: Calibration = "minmax"
    percentile: float = 99.99

    def of(self, numbers: Floats, levels: int) -> tuple[Floats, Floats]:
        """Least and largest number of each column. levels: steps between them."""
        low, high = numbers.min(axis=0), numbers.max(axis=0)
        if self.calibration == "percentile":
            left_out = (100 - self.percentile) / 2
            low, high = np.percentile(numbers, (left_out, 100 - left_out), axis=0)
        middle, half = (low + high) / 2, (high - low) / 2
        if self.calibration == "mse":
            half = _least_error(numbers - middle, np.maximum(half, _LEAST), levels)
        half = at_least_a_share(half)
        return middle - half, middle + half


def at_least_a_share(widths: Floats) -> Floats:
    """Columns that were still in calibration need units, too: a share of the widest one's."""
    found: Floats = np.maximum(widths, max(_SHARE * float(widths.max()), _LEAST))
    return found


def _least_error(numbers: Floats, half: Floats, levels: int) -> Floats:
    best, chosen = np.full(len(half), np.inf), half
    for share in _SHARES:
        step = 2 * share * half / levels
        near = np.clip(np.rint(numbers / step) * step, -share * half, share * half)
        error = ((near - numbers) ** 2).sum(axis=0)
        chosen = np.where(error < best, share * half, chosen)
        best = np.minimum(error, best)
    return chosen


def bytes_of(numbers: Floats, after: Sequence[Dense], spans: Spans) -> tuple[Units, float]:
    """Units of 8 bits for what products are given, and how much of the difficulty was left with it, 0 to 1.

    A column's inverse scale goes into the weights after it, whose rounding must not suffer: as in SmoothQuant (Xiao et
    al. 2023), with the share that gives the least error here.
    after: the products.
    """
    low, high = spans.of(numbers, BYTE_TOP)
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    weights = np.concatenate([_leveled(one.weights) for one in after], axis=1)
    sample = numbers[:: max(1, len(numbers) // _SAMPLE)]
    scales = {alpha: _smoothed(high - low, weights, alpha) for alpha in _ALPHAS}
    exact = sample @ weights
    alpha = min(scales, key=lambda one: _error(sample, weights, scales[one], exact))
    scale = scales[alpha]
    return Units(scale, np.clip(np.rint(-low / scale), 0, BYTE_TOP).astype(np.int64), BYTE_TOP), alpha


def _leveled(weights: Floats) -> Floats:
    """Columns count alike: each has a step of its own."""
    found: Floats = weights / np.maximum(np.abs(weights).max(axis=0), _LEAST)
    return found


def _smoothed(span: Floats, weights: Floats, alpha: float) -> Floats:
    widest = np.maximum(np.abs(weights).max(axis=1), _LEAST)
    shared = np.maximum(span, _LEAST) ** alpha / widest ** (1 - alpha)
    found: Floats = shared * (span / shared).max() / BYTE_TOP
    return found


def _error(sample: Floats, weights: Floats, scale: Floats, exact: Floats) -> float:
    """Squared, of a product whose both sides are rounded."""
    wide = weights * scale[:, np.newaxis]
    step = np.maximum(np.abs(wide).max(axis=0), 1e-30) / WEIGHT_TOP
    made = np.rint(sample / scale) @ (np.rint(wide / step) * step)
    return float(((made - exact) ** 2).sum())


def residual_scale(*numbers: Floats) -> float:
    """In which all of these have room on both sides of the middle, and some to spare."""
    most = max(float(np.abs(one).max()) for one in numbers)
    return _SPARE * max(most, _LEAST) / (RESIDUAL_TOP // 2)


def residual(scale: float, width: int) -> Units:
    """Of a register that residuals are in."""
    return uniform(scale, RESIDUAL_TOP // 2 + 1, RESIDUAL_TOP, width)
