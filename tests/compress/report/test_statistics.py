"""What the report says of chance is right: intervals hold what they should, as often as they should."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from unisono.compress.report.document import Interval
from unisono.compress.report.statistics.calibration import calibration_bins, calibration_error
from unisono.compress.report.statistics.means import explained, mean, root_mean_square
from unisono.compress.report.statistics.proportions import corrected, paired_change, share, unchanged
from unisono.compress.report.statistics.ranking import curve_area

TRIES = 400
FEWEST = int(stats.binom.ppf(0.001, TRIES, 0.95))  # an interval of 95 % holds less often once in a thousand times
FEWEST_ABOUT = int(stats.binom.ppf(0.001, TRIES, 0.925))  # of one that is right only for many rows


def times_held(draw: Callable[[np.random.Generator], Interval], truth: float) -> int:
    """How many intervals of many samples hold what is true."""
    found = [draw(np.random.default_rng(seed)) for seed in range(TRIES)]
    return sum(one.low <= truth <= one.high for one in found)


@pytest.mark.parametrize(("rows", "gains", "losses"), [(60, 0.03, 0.08), (200, 0.01, 0.01), (400, 0.2, 0.1)])
def test_a_paired_change_is_inside_its_interval_as_often_as_said(rows: int, gains: float, losses: float) -> None:
    def draw(random: np.random.Generator) -> Interval:
        gained, lost, _ = random.multinomial(rows, [gains, losses, 1 - gains - losses])
        return paired_change(gained, lost, rows)

    assert times_held(draw, gains - losses) >= FEWEST_ABOUT


def test_the_paired_interval_is_that_of_tango() -> None:
    # By its own equations (Tango, 1998): at both ends the score statistic is the quantile of the normal distribution.
    gained, lost, rows = 7, 16, 120
    found = paired_change(gained, lost, rows)
    for end in (found.low, found.high):
        a, b, c = 2 * rows, -gained - lost + (2 * rows - gained + lost) * end, -lost * end * (1 - end)
        q = (math.sqrt(b * b - 4 * a * c) - b) / (2 * a)
        statistic = (gained - lost - rows * end) / math.sqrt(rows * (2 * q + end * (1 - end)))
        assert abs(statistic) == pytest.approx(1.959964, abs=1e-6)


def test_a_paired_change_is_zero_at_an_end_where_the_score_test_is_just_sure() -> None:
    # McNemar's statistic, squared, of 3 and 13 is 6.25: beyond the 98.7 % quantile of chi squared, not beyond 99 %.
    assert paired_change(3, 13, 500, 0.98).high < 0 < paired_change(3, 13, 500, 0.99).high


@pytest.mark.parametrize(("gained", "lost", "rows"), [(0, 0, 1), (5, 0, 5), (0, 5, 5), (0, 0, 1000)])
def test_a_paired_change_at_the_edges_is_between_all_and_nothing(gained: int, lost: int, rows: int) -> None:
    found = paired_change(gained, lost, rows)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.high > found.low


@pytest.mark.parametrize("true", [0.02, 0.5, 0.93])
def test_a_share_is_inside_its_interval_as_often_as_said(true: float) -> None:
    assert times_held(lambda random: share(int(random.binomial(150, true)), 150), true) >= FEWEST_ABOUT


def test_an_explained_share_is_inside_its_interval_as_often_as_said() -> None:
    def draw(random: np.random.Generator) -> Interval:
        truth = random.normal(size=300)
        return explained(0.5 * random.standard_t(6, size=300), truth).interval()

    assert times_held(draw, 1 - 0.25 * 1.5) >= FEWEST_ABOUT


def test_a_difference_of_errors_is_inside_its_interval_as_often_as_said() -> None:
    def draw(random: np.random.Generator) -> Interval:
        common = random.normal(size=250)
        more = common + 0.3 * random.normal(size=250)
        return (root_mean_square(more) - root_mean_square(common)).interval()

    assert times_held(draw, math.sqrt(1.09) - 1) >= FEWEST_ABOUT


def test_a_paired_difference_is_known_better_than_two_that_are_not() -> None:
    random = np.random.default_rng(0)
    one = random.normal(size=500)
    other = one + 0.1 * random.normal(size=500)
    assert (mean(other) - mean(one)).error < 0.3 * mean(one).error


@pytest.mark.slow
def test_the_area_is_that_of_scikit_learn_and_inside_its_interval_as_often_as_said() -> None:
    true = float(stats.norm.cdf(1.5 / math.sqrt(2)))

    def draw(random: np.random.Generator) -> Interval:
        is_second = random.random(200) < 0.3
        scores = random.normal(size=200) + 1.5 * is_second
        found = curve_area(scores, is_second)
        assert found is not None
        assert found.value == pytest.approx(roc_auc_score(is_second, scores))
        return found

    assert times_held(draw, true) >= FEWEST_ABOUT


def test_the_area_of_one_class_is_not_known() -> None:
    assert curve_area(np.array([0.1, 0.2]), np.array([True, True])) is None


def test_a_calibrated_model_is_found_to_be_one() -> None:
    def draw(random: np.random.Generator) -> Interval:
        confidence = random.uniform(0.5, 1.0, 600)
        return calibration_error(confidence, random.random(600) < confidence)

    assert times_held(draw, 0.0) >= FEWEST
    found = [draw(np.random.default_rng(seed)).value for seed in range(100)]
    assert np.median(found) < 0.03  # bins that are not corrected say 0.06 here


def test_the_gap_of_a_model_that_is_too_sure_is_inside_its_interval_as_often_as_said() -> None:
    def draw(random: np.random.Generator) -> Interval:
        confidence = random.uniform(0.6, 1.0, 600)
        return calibration_error(confidence, random.random(600) < confidence - 0.1)

    assert times_held(draw, 0.1) >= FEWEST_ABOUT


def test_bins_hold_every_row_once_and_equal_ones_together() -> None:
    confidence = np.array([0.5] * 50 + [0.9] * 51)
    bins = calibration_bins(confidence, np.arange(101) % 2 == 0)
    assert [one.confidence for one in bins] == pytest.approx([0.5, 0.9])
    assert [one.rows for one in bins] == [50, 51]


def test_chances_are_corrected_as_holm_says() -> None:
    assert corrected([0.01, 0.02, 0.03, 0.005]) == pytest.approx([0.03, 0.04, 0.04, 0.02])
    assert corrected([]) == []


def test_changes_to_one_side_only_are_as_likely_as_that_side_of_a_coin() -> None:
    assert unchanged(0, 10) == pytest.approx(2 / 2**10)
    assert unchanged(4, 4) == 1.0
