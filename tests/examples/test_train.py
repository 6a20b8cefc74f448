"""Training: which rows, and the same model each time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from examples.flights.definitions import delay
from examples.flights.train import SPLIT, after_split, before_split, fit, inputs, matrix, probability, train

COLUMNS = ["hour", "seats"]


def frame(rows: int) -> pl.DataFrame:
    draw = np.random.default_rng(3)
    hours = draw.uniform(0, 24, rows)
    return pl.DataFrame(
        {
            "asked_at": [datetime(2013, 1, 1, tzinfo=UTC) + timedelta(hours=row) for row in range(rows)],
            "hour": hours,
            "seats": [None if row % 7 == 0 else row % 5 for row in range(rows)],
            "late": [None if row % 50 == 0 else bool(draw.random() < hour / 24) for row, hour in enumerate(hours)],
        }
    )


def test_no_row_is_trained_on_whose_label_came_after_the_split() -> None:
    rows = frame(8760)
    assert before_split(rows)["asked_at"].max() < SPLIT - timedelta(days=2)  # type: ignore[operator]
    assert after_split(rows)["asked_at"].min() >= SPLIT  # type: ignore[operator]
    assert before_split(rows)["late"].null_count() == after_split(rows)["late"].null_count() == 0


def test_null_is_nan() -> None:
    assert np.isnan(matrix(frame(1), COLUMNS)).tolist() == [[False, True]]


def test_the_same_frame_gives_the_same_model_and_the_future_does_not_count() -> None:
    rows = frame(8760)
    changed = rows.with_columns(late=pl.when(pl.col("asked_at") >= SPLIT).then(True).otherwise("late"))
    first, second = (probability(train(one, COLUMNS), rows, COLUMNS) for one in (rows, changed))
    assert (first == second).all()
    assert first.std() > 0.1


@pytest.mark.slow
def test_the_command_line_fits_the_demos_model() -> None:
    columns = inputs(delay.feature_names)
    known = frame(8760)
    numbers = np.random.default_rng(4).normal(size=(known.height, len(columns)))
    rows = known.with_columns(pl.DataFrame(numbers, schema=columns)).select("asked_at", *columns, "late")
    rows = rows.with_columns(pl.lit(0.0).alias(name) for name in delay.feature_names if name not in columns)
    assert (
        fit(
            rows.select("asked_at", *delay.feature_names, *set(columns) - set(delay.feature_names), "late")
        ).feature_name_
        == columns
    )
