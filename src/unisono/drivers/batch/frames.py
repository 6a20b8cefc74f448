"""Frames in memory: training frames, and predictions of requests."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from unisono.drivers.labels import label_column
from unisono.drivers.memory import join_features
from unisono.drivers.predictors import ReadyPredictor
from unisono.drivers.scores import Outputs, Scores
from unisono.features.answers import Matrix, matrix
from unisono.features.frames import RequestTable
from unisono.spec.errors import InputError
from unisono.spec.progress import Progress, no_progress

CHUNK_ROWS = 1 << 16


def training_frame(ready: ReadyPredictor, requests: pl.DataFrame, events: Mapping[str, object]) -> pl.DataFrame:
    """The point-in-time frame of a predictor: request columns, features, derived columns, the label last.

    requests: in their one form, with the column that the label is found by, if there is a label.
    events:   source name -> frame, for every source of the predictor.

    One row a request, in their order; features and derived columns as they were known at the request's time, the label
    as it was known `within` after it. Raises InputError.
    """
    asked = asked_table(ready, requests)
    frame = join_features(ready.views, asked, events)
    if ready.transforms:
        from unisono.models import derive

        frame = frame.hstack(derive(ready.transforms, frame, "training frame").get_columns())
    label = ready.spec.label
    if label is None:
        return frame
    found = label_column(label, ready.label_transforms, asked, events[label.source.name])
    return frame.with_columns(found)


def asked_table(ready: ReadyPredictor, requests: pl.DataFrame) -> RequestTable:
    """Requests of a predictor as a table."""
    return RequestTable(requests, ready.spec.time, place=f"requests of predictor {ready.name}")


def features_of_requests(ready: ReadyPredictor, requests: pl.DataFrame, events: Mapping[str, object]) -> Matrix:
    """The feature rows of requests: float64, requests x features, null by its payload."""
    frame = join_features(ready.views, asked_table(ready, requests), events)
    return matrix(frame, ready.feature_names)


def score_table(
    scorer: Scores,
    requests: pl.DataFrame,
    features: Matrix,
    *,
    chunk: int = CHUNK_ROWS,
    progress: Progress = no_progress,
) -> pl.DataFrame:
    """Requests with the outputs for them, a column an output.

    chunk: rows scored at a time.

    Raises InputError if a request column is called like an output.
    """
    pieces = []
    for start in range(0, max(requests.height, 1), chunk):
        rows = requests.slice(start, chunk)
        pieces.append(with_outputs(rows, scorer.score(rows, features[start : start + chunk])))
        progress("predicting", min(start + chunk, requests.height), requests.height)
    return pl.concat(pieces, rechunk=True)


def with_outputs(requests: pl.DataFrame, outputs: Outputs) -> pl.DataFrame:
    """Requests and their outputs side by side. Raises InputError if a request column is called like an output."""
    for name in outputs:
        if name in requests.columns:
            raise InputError(
                f'requests, column "{name}": an output of the graph has this name; allowed: another name; '
                "drop or rename the column"
            )
    return requests.with_columns(pl.Series(name, values) for name, values in outputs.items())
