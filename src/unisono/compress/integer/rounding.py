"""Weights in whole numbers of 7 bits, and what brings their sums into the units of the register that they go into.

A column's step is chosen so that its multiplier is a whole number: no error is left in it. Among such steps the one
with the least squared error is taken, so the largest weights may be cut off (Nagel et al. 2021, section 3.1). The
rounding of one weight is made good by those after it, as far as the inputs are alike (GPTQ: Frantar et al. 2023).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular

from unisono.compress.integer.encoder import Dense, Floats
from unisono.compress.integer.scales import Units
from unisono.kernel.integer.network import WEIGHT_TOP, Int8s, Rescale
from unisono.spec.errors import ModelError

Int64s = npt.NDArray[np.int64]

INT32_TOP = 2**31 - 1
_SHARES = np.linspace(0.4, 1.0, 25)  # of the step that cuts nothing off
_DAMP = 0.01  # share of the mean square of inputs that is added to each
_TOGETHER = 64  # inputs whose errors are handed on at once, which is quicker
_USED = 0.97  # share of int32 that a product may fill, so that its bias may still be corrected


@dataclass(frozen=True)
class Inputs:
    """What a product is given: numbers about their zeros.

    zeros:   of each column.
    top:     of a code.
    squares: mean products of the columns' codes less their zeros, columns x columns.
    """

    zeros: Int64s = field(repr=False)
    top: int
    squares: Floats = field(repr=False)

    @cached_property
    def order(self) -> Int64s:
        """In which inputs are rounded: those with the largest squares first."""
        return np.argsort(-np.diagonal(self.squares), kind="stable")

    @cached_property
    def upper(self) -> Floats:
        """What an error of an input's weight is made good by, in that order: the root of the inverse of squares."""
        count = len(self.squares)
        damp = max(_DAMP * float(np.trace(self.squares)) / count, 1e-12)
        backwards = self.order[::-1]
        root = np.linalg.cholesky(self.squares[np.ix_(backwards, backwards)] + damp * np.eye(count))
        found: Floats = solve_triangular(root, np.eye(count), lower=True)[::-1, ::-1]
        return found


def rounded(name: str, dense: Dense, inputs: Inputs, units: Units, *, shift: int) -> tuple[Int8s, Rescale]:
    """Weights as whole numbers, and the rescaling after them.

    name:  of the layer.
    dense: with the inputs' scales in its weights.
    units: of what comes out.
    shift: as `shift_of` gives it, or less.

    Raises ModelError if no multiplier keeps the sums in int32.
    """
    while shift >= 0:
        steps, multiplier = _steps(dense.weights, inputs, units, shift)
        whole = compensated(dense.weights, steps, inputs)
        moved = np.rint((dense.bias / units.scale + units.zero) * 2.0**shift).astype(np.int64)
        rescale = _rescale(whole, multiplier, moved, inputs, shift=shift, top=units.top)
        if rescale is not None:
            return whole, rescale
        shift -= 1
    raise cannot_scale(name)


def cannot_scale(name: str) -> ModelError:
    """What is said of a layer whose numbers are too large for the units of its register."""
    return ModelError(
        f"integer: {name}: no multiplier brings its sums into its register within int32; allowed: sums below 2**31; "
        "look for weights that are far larger than the others, or calibrate by rows that are like those to come"
    )


def int32(name: str, numbers: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Numbers as int32. Raises ModelError if they do not fit."""
    if numbers.size and np.abs(numbers).max() > INT32_TOP:
        raise cannot_scale(name)
    return numbers.astype(np.int32)


def shift_of(dense: Dense, inputs: Inputs, units: Units) -> int:
    """The most bits of a multiplier with which nothing leaves int32, by the weights as they are."""
    rows = np.maximum(inputs.top - inputs.zeros, inputs.zeros)[:, np.newaxis]
    reach = (np.abs(dense.weights) * rows).sum(axis=0) + np.abs(dense.bias) + np.abs(inputs.zeros @ dense.weights)
    most = (reach / units.scale).max() + units.top
    return int(np.floor(np.log2(_USED * INT32_TOP / most)))


def _steps(weights: Floats, inputs: Inputs, units: Units, shift: int) -> tuple[Floats, Int64s]:
    """Each column's step, and its multiplier."""
    widest = np.maximum(np.abs(weights).max(axis=0) / WEIGHT_TOP, 1e-30)
    unit = units.scale / 2.0**shift
    importance = np.maximum(np.diagonal(inputs.squares), 1e-12)[:, np.newaxis]
    best = np.full(weights.shape[1], np.inf)
    chosen = np.ones(weights.shape[1], np.int64)
    for share in _SHARES:
        multiplier = np.maximum(np.rint(share * widest / unit).astype(np.int64), 1)
        step = multiplier * unit
        near = np.clip(np.rint(weights / step), -WEIGHT_TOP, WEIGHT_TOP) * step
        error = (importance * (weights - near) ** 2).sum(axis=0)
        chosen = np.where(error < best, multiplier, chosen)
        best = np.minimum(error, best)
    return chosen * unit, chosen


def compensated(weights: Floats, steps: Floats, inputs: Inputs) -> Int8s:
    """Weights over their steps, rounded one input after the other, the most used first."""
    order, upper = inputs.order, inputs.upper
    left = (weights / steps)[order]
    whole = np.empty(weights.shape, np.int8)
    for start in range(0, len(left), _TOGETHER):
        part = slice(start, start + _TOGETHER)
        errors = _rounded_part(left[part], upper[part, part])
        whole[order[part]] = left[part]
        left[start + _TOGETHER :] -= upper[part, start + _TOGETHER :].T @ errors
    return whole


def _rounded_part(left: Floats, upper: Floats) -> Floats:
    """Rounds some inputs in place; what those after them have to make good."""
    errors = np.empty_like(left)
    for place in range(len(left)):
        whole = np.clip(np.rint(left[place]), -WEIGHT_TOP, WEIGHT_TOP)
        errors[place] = (left[place] - whole) / upper[place, place]
        left[place] = whole
        left[place + 1 :] -= np.outer(upper[place, place + 1 :], errors[place])
    return errors


def _rescale(
    whole: Int8s, multiplier: Int64s, moved: Int64s, inputs: Inputs, *, shift: int, top: int
) -> Rescale | None:
    """None if a number could leave int32. moved: bias and zero point, shifted."""
    wide = whole.astype(np.int64)
    offset = moved - (inputs.zeros @ wide) * multiplier + ((1 << shift) >> 1)
    low = np.minimum(wide, 0).sum(axis=0) * inputs.top * multiplier
    high = np.maximum(wide, 0).sum(axis=0) * inputs.top * multiplier
    reach = max(int(np.abs(one).max()) for one in (low, high, offset, low + offset, high + offset))
    if reach > _USED * INT32_TOP or (top + 1) << shift > INT32_TOP:
        return None
    return Rescale(multiplier.astype(np.int32), offset.astype(np.int32), shift, top)
