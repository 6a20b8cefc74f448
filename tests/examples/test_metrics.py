"""Scores of probabilities, against sklearn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from examples.flights.metrics import calibration, roc, score


def sample(seed: int, ties: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    probability = draw.integers(0, ties, 500) / ties
    return draw.random(500) < probability, probability


@pytest.mark.parametrize("ties", [2, 10, 10_000])
def test_scores_are_sklearns(ties: int) -> None:
    late, probability = sample(1, ties)
    ours = score(late, probability)
    assert ours.auc == pytest.approx(roc_auc_score(late, probability), abs=1e-12)
    assert ours.brier == pytest.approx(brier_score_loss(late, probability), abs=1e-9)


def test_one_probability_for_all_ranks_nobody() -> None:
    late, _ = sample(2, 10)
    assert score(late, np.full(late.size, 0.25)).auc == 0.5


def test_the_curve_goes_from_nobody_to_everybody_and_its_area_is_the_auc() -> None:
    late, probability = sample(3, 10_000)
    false, true = roc(late, probability, points=501)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(true, false) == pytest.approx(score(late, probability).auc, abs=1e-3)


def test_calibration_bins_hold_everybody_and_their_intervals_hold_the_share() -> None:
    late, probability = sample(4, 10_000)
    bins = calibration(late, probability, bins=7)
    assert sum(part.count for part in bins) == 500
    assert all(0 <= part.low <= part.observed <= part.high <= 1 for part in bins)
    assert [part.predicted for part in bins] == sorted(part.predicted for part in bins)
