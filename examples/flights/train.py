"""Training: LightGBM on the flights before November, from the columns listed here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import lightgbm as lgb
import numpy as np
import polars as pl

LABEL = "late"
SPLIT = datetime(2013, 11, 1, 4, tzinfo=UTC)  # midnight in New York
LABEL_TIME = timedelta(days=2)  # as long as a label may take; what was not known at the split is not trained on

OF_REQUEST = (
    "hour",
    "weekday",
    "carrier_code",
    "origin_code",
    "distance",
    "block_minutes",
    "padding",
    "planned_departures",
    "plane_age",
    "seats",
)
"""What needs no events: all that the model without window features has."""

OF_EVENTS = ("minutes_since_landing", "spare_minutes", "pressure_rise")
"""Derived from features, and features are instants and durations that say nothing by themselves: _RAW."""

_RAW = ("plane_in__landed_at_last_all", "plane_out__left_at_last_all", "plane_out__block_minutes_last_all")

_PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.5,
    "seed": 7,
    "deterministic": True,
    "force_row_wise": True,
    # The model is the same for any number; with more, threads that wait for each other take 6 times as long where other
    # programs want the cores too (measured: 17 s and 97 s).
    "num_threads": 1,
    "verbose": -1,
}
_TREES = 200


def inputs(features: Sequence[str]) -> list[str]:
    """The model's columns: of the request, the features, derived."""
    return [*OF_REQUEST, *(name for name in features if name not in _RAW), *OF_EVENTS]


def labelled(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows that can be trained on or scored: flights that arrived."""
    return frame.filter(pl.col(LABEL).is_not_null())


def before_split(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows to train on: asked so early that the label came before the split."""
    return labelled(frame).filter(pl.col("asked_at") < SPLIT - LABEL_TIME)


def after_split(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows held out: the last two months."""
    return labelled(frame).filter(pl.col("asked_at") >= SPLIT)


def train(frame: pl.DataFrame, columns: Sequence[str]) -> lgb.LGBMClassifier:
    """A model fitted to the rows of `frame` before the split; the same frame always gives the same model.

    frame:   a training frame of `delay`, whole; rows from the split on are not looked at.
    columns: the model's inputs, in order.
    """
    rows = before_split(frame)
    model = lgb.LGBMClassifier(n_estimators=_TREES, **_PARAMETERS)
    return model.fit(matrix(rows, columns), truth(rows), feature_name=list(columns))


def fit(frame: pl.DataFrame) -> lgb.LGBMClassifier:
    """The demo's model, for `unisono register delay train:fit`."""
    return train(frame, inputs([name for name in frame.columns if "__" in name]))


def probability(model: lgb.LGBMClassifier, frame: pl.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """The fitted model's own probability of lateness, a row."""
    return np.asarray(model.booster_.predict(matrix(frame, columns)))


def matrix(frame: pl.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """The columns as float64; null as NaN."""
    return frame.select(pl.col(columns).cast(pl.Float64).fill_null(float("nan"))).to_numpy()


def truth(frame: pl.DataFrame) -> np.ndarray:
    """Whether each flight was late."""
    return frame[LABEL].cast(pl.Boolean).to_numpy()
