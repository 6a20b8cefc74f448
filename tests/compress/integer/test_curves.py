"""Functions of a mode against what they stand for, over all of their arguments."""

from __future__ import annotations

import numpy as np
import pytest

from unisono.compress.integer.curves import IBERT, SHIFT, STEP_OF_SCORES, Curves, tanh
from unisono.compress.integer.floating import CURVES

REACHES = (3.0, 4.5, 8.0, 24.0)
BOUNDS = [(IBERT, 0.022, 0.0065), (SHIFT, 0.03, 0.05)]
"""Of GELU beside its rounding, and of the exponential."""


@pytest.mark.parametrize(("curves", "bound", "_"), BOUNDS)
@pytest.mark.parametrize("reach", REACHES)
def test_gelu_is_near_over_all_arguments(curves: Curves, bound: float, _: float, reach: float) -> None:
    made = curves.gelu(reach)
    (scale, zero, top), (step, rest, most) = made.argument, made.value
    codes = made.function.table()[: top + 1].astype(np.int64)
    numbers = (np.arange(top + 1) - zero).astype(np.float64) * scale
    error = np.abs((codes - rest) * step - CURVES["gelu"](numbers))
    assert error.max() < bound + 0.51 * step
    assert numbers[-1] == pytest.approx(reach, rel=1e-9)
    assert most >= codes.max() > 240


@pytest.mark.parametrize(("curves", "_", "bound"), BOUNDS)
@pytest.mark.parametrize("fraction", [6, 8, 10])
def test_the_exponential_is_near_over_all_arguments(curves: Curves, _: float, bound: float, fraction: int) -> None:
    table = curves.exponential(fraction).table().astype(np.int64)
    wanted = np.exp(-np.arange(len(table)) * STEP_OF_SCORES / 2**fraction)
    assert np.abs(table / table[0] - wanted).max() < bound
    assert table[0] > 180
    assert table[-1] == 0


def test_tanh_is_as_near_as_8_bits_can_be() -> None:
    made = tanh()
    (scale, zero, top), (step, rest, _) = made.argument, made.value
    numbers = (np.arange(top + 1) - zero).astype(np.float64) * scale
    assert np.abs((made.function.table().astype(np.int64) - rest) * step - np.tanh(numbers)).max() < 0.51 * step
