"""Spans of columns, as each calibration finds them."""

from __future__ import annotations

import numpy as np
import pytest

from unisono.compress.integer.scales import Calibration, Spans

COLUMNS = np.random.default_rng(0).normal(size=(3000, 2)) * (1.0, 5.0)
COLUMNS[7] = (90.0, -5.0)  # far out, once


@pytest.mark.parametrize(("calibration", "widest"), [("minmax", 90.0), ("percentile", 40.0), ("mse", 89.0)])
def test_each_calibration_leaves_out_what_it_says(calibration: Calibration, widest: float) -> None:
    low, high = Spans(calibration, 99.9).of(COLUMNS, 15)
    assert high[0] <= widest
    assert (COLUMNS.min(axis=0) - 1e-9 <= low).all() or calibration == "mse"
    if calibration == "minmax":
        assert np.allclose((low, high), (COLUMNS.min(axis=0), COLUMNS.max(axis=0)))
    else:
        assert high[0] < 90.0


def test_a_column_that_never_changed_has_a_span_too() -> None:
    still = np.hstack([COLUMNS[:, 1:], np.full((3000, 1), 3.0)])
    low, high = Spans().of(still, 255)
    assert high[1] - low[1] == pytest.approx((high[0] - low[0]) / 128)
    assert low[1] < 3.0 < high[1]
