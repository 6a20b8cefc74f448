"""What is said of slices holds for all of them together, and every task has a meaning of accuracy and change."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy import stats

from unisono.compress.data import Data
from unisono.compress.report.answers import Chances, Values, Vectors
from unisono.compress.report.changes import changed_rows, rows_to_judge, slice_changes
from unisono.compress.report.comparing import compared
from unisono.compress.report.slicing import MOST_VALUES, Slice, slices_of
from unisono.spec.errors import InputError, ModelError
from unisono.spec.types import Float64, String

TRIES = 100
AT_MOST = int(stats.binom.ppf(0.999, TRIES, 0.05))


def chances(said: NDArray[np.int64]) -> Chances:
    return Chances(np.where(np.eye(2)[said] == 1, 0.8, 0.2))


def parts(random: np.random.Generator, rows: int, count: int) -> list[Slice]:
    """Slices of very different sizes, each row in one."""
    places = random.choice(count, rows, p=(weights := np.arange(1, count + 1.0) ** 2) / weights.sum())
    return [Slice("part", str(place), places == place) for place in range(count) if (places == place).any()]


@pytest.mark.slow
def test_of_many_slices_in_which_nothing_changed_hardly_ever_one_is_called_changed() -> None:
    alarms = missed = 0
    for seed in range(TRIES):
        random = np.random.default_rng(seed)
        truth, original = random.integers(0, 2, (2, 1500))
        flipped = random.random(1500) < 0.1  # to right as often as to wrong, since every second one is right
        comparison = compared(chances(original), chances(np.where(flipped, 1 - original, original)), truth=truth)
        found = slice_changes(comparison, parts(random, 1500, 20), 100)
        alarms += any(one.p_value < 0.05 for one in found)
        missed += any(not one.change.low <= 0 <= one.change.high for one in found)
    assert alarms <= AT_MOST
    assert missed <= AT_MOST


def test_a_slice_that_lost_a_tenth_is_seen_among_twenty() -> None:
    random = np.random.default_rng(0)
    slices = parts(random, 4000, 20)
    truth = random.integers(0, 2, 4000)
    harmed = slices[15]
    spoilt = harmed.rows & (random.random(4000) < 0.15)
    comparison = compared(chances(truth), chances(np.where(spoilt, 1 - truth, truth)), truth=truth)
    worst = slice_changes(comparison, slices, rows_to_judge(comparison))[0]
    assert worst.value == harmed.value
    assert worst.p_value < 0.001
    assert worst.change.high < -5
    assert worst.is_judged
    assert worst.original == 1.0
    assert worst.result == pytest.approx(1 + worst.change.value / 100)


def test_regressions_of_the_same_noise_are_hardly_ever_called_changed() -> None:
    alarms = 0
    for seed in range(TRIES):
        random = np.random.default_rng(seed)
        truth, common = random.normal(size=(2, 1500))
        original, result = (Values(truth + common + 0.3 * random.normal(size=1500)) for _ in range(2))
        found = slice_changes(compared(original, result, truth=truth), parts(random, 1500, 10), 100)
        alarms += any(one.p_value < 0.05 for one in found if one.rows >= 20)
    assert alarms <= AT_MOST


def test_rows_to_judge_grow_with_what_changes_by_chance() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, 5000)
    needed = []
    for share in (0.0, 0.02, 0.2, 0.4):
        said = np.where(random.random(5000) < share, 1 - truth, truth)
        needed.append(rows_to_judge(compared(chances(truth), chances(said), truth=truth)))
    assert needed[:2] == [100, 100]
    assert 400 < needed[2] < needed[3] < 1000


def test_a_slice_with_so_many_rows_shows_a_loss_of_five_points_four_times_out_of_five() -> None:
    # One row in ten changes; in the slice a loss of 5 points is 2.5 % gained and 7.5 % lost.
    needed = int(np.ceil(7.85 * 0.1 / 0.05**2))
    random = np.random.default_rng(0)
    gained, lost, _ = random.multinomial(needed, [0.025, 0.075, 0.9], size=2000).T
    seen = np.abs(lost - gained) / np.sqrt(gained + lost) > 1.96
    assert 0.75 < seen.mean() < 0.9


def test_a_regression_is_judged_by_the_variance_that_it_explains() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=2000)
    errors = random.normal(size=2000)
    comparison = compared(Values(truth + 0.3 * errors), Values(truth + 0.5 * errors), truth=truth)
    before, after = comparison.accuracies()
    assert before.value == pytest.approx(0.91, abs=0.01)
    assert after.value == pytest.approx(0.75, abs=0.02)
    assert comparison.change().value == pytest.approx(100 * (after.value - before.value))
    assert comparison.change().high < -10
    assert comparison.metrics()[1]["rmse"].value == pytest.approx(0.5 * np.sqrt((errors**2).mean()))
    assert comparison.calibration() == ([], [])
    part = Slice("all", "all", np.ones(2000, np.bool_))
    (only,) = slice_changes(comparison, [part], 100)
    assert only.original == pytest.approx(-0.3, abs=0.02)
    assert only.change.value == pytest.approx(-20, abs=1)


def test_outputs_are_judged_by_their_direction() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(500, 8))
    nearly = vectors + 0.2 * random.normal(size=(500, 8))
    comparison = compared(Vectors(vectors), Vectors(3 * nearly), truth=np.zeros(500))
    before, after = comparison.accuracies()
    assert (before.low, before.high) == (1.0, 1.0)
    assert 0.95 < after.low < after.value < after.high < 1
    assert comparison.agreement() == after
    assert comparison.change().value == pytest.approx(100 * (after.value - 1))


def test_vectors_of_nothing_are_alike_where_both_are() -> None:
    nothing, something = np.zeros((1, 3)), np.ones((1, 3))
    assert Vectors(nothing).cosines(Vectors(nothing)).tolist() == [1.0]
    assert Vectors(nothing).cosines(Vectors(something)).tolist() == [0.0]


def test_answers_of_other_shapes_are_refused() -> None:
    with pytest.raises(ModelError, match="same classes or outputs"):
        compared(Chances(np.ones((2, 2)) / 2), Chances(np.ones((2, 3)) / 3), truth=np.zeros(2, np.int64))


def data(frame: pl.DataFrame, *slices: str) -> Data:
    return Data(
        train=frame[:0],
        validation=frame[:0],
        test=frame,
        unlabelled=frame[:0],
        inputs={"text": String, "x": Float64},
        label="label",
        classes=("no", "yes"),
        slices=slices,
        identity="0" * 32,
    )


def frame(rows: int = 1000) -> pl.DataFrame:
    random = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "text": ["word " * int(count) + str(place) for place, count in enumerate(random.integers(1, 50, rows))],
            "x": random.normal(size=rows),
            "few": random.integers(0, 3, rows),
            "many": [f"v{number}" for number in random.integers(0, 45, rows)],
            "gaps": [None if number < 0.3 else number for number in random.random(rows)],
            "when": [datetime(2026, 1, 1 + int(day), tzinfo=UTC) for day in random.integers(0, 3, rows)],
            "label": np.where(random.random(rows) < 0.4, "yes", "no"),
        }
    )


def test_values_tenths_lengths_and_classes_are_slices() -> None:
    found = slices_of(data(frame(), "text", "x", "few", "gaps", "when", "label"))
    counts = {name: sum(one.column == name for one in found) for name in {one.column for one in found}}
    assert counts == {"label": 2, "length of text": 10, "x": 10, "few": 3, "gaps": 11, "when": 3}
    for name in counts:
        assert np.sum([one.rows for one in found if one.column == name], axis=0).tolist() == [1] * 1000
    assert next(one for one in found if one.value == "(none)").rows.sum() == frame()["gaps"].null_count()


def test_values_with_few_rows_are_no_slices_and_there_are_never_too_many() -> None:
    rows = frame(1000).with_columns(many=pl.Series([f"v{place % 400}" for place in range(1000)]))
    assert {one.column for one in slices_of(data(rows, "many"))} == {"label"}
    rows = frame(4000).with_columns(many=pl.Series([f"v{place % 100}" for place in range(4000)]))
    assert sum(one.column == "many" for one in slices_of(data(rows, "many"))) == MOST_VALUES


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r'no column "fex".*did you mean "few"'):
        slices_of(data(frame(), "fex"))


def test_rows_that_did_not_change_are_not_among_the_changed() -> None:
    rows = data(frame(50))
    original = np.tile([0.9, 0.1], (50, 1))
    result = original.copy()
    result[7], result[3] = [0.2, 0.8], [0.6, 0.4]
    both = Chances(original), Chances(result)
    found = changed_rows(rows, ["text", "x"], both, compared(*both, truth=np.zeros(50, np.int64)))
    assert [one.row for one in found] == [7, 3]
    assert (found[0].original, found[0].result) == ("no (0.900)", "yes (0.800)")
    assert found[0].distance == pytest.approx(0.7)
    assert len(found[0].values["text"]) <= 160
