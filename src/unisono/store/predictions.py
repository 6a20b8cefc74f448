"""What was predicted: one row a request, enough to compute it again and to compare every bit.

    the request's columns | position | version | features | prediction.NAME ...

The server's log also has `served.at`, the instant of the answer, `served.request_id`, the caller's name for the request
("" for none), and `served.shadow`, whether nobody was given the answer.

`features` are the bits of the feature row (float64, little-endian, null by its payload); `position` is the request's
place in the log, which says what was known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

POSITION, VERSION, FEATURES = "position", "version", "features"
PREDICTION = "prediction."  # no column of a request can have a dot in its name
SERVED_AT, SERVED_ID, SERVED_SHADOW = "served.at", "served.request_id", "served.shadow"

Matrix = NDArray[np.float64]


def prediction_rows(
    requests: pl.DataFrame,
    *,
    positions: NDArray[np.int64],
    version: str | Sequence[str],
    features: Matrix,
    predictions: Mapping[str, NDArray[np.generic]],
) -> pl.DataFrame:
    """Requests with what was known and what was answered, as the prediction log keeps them.

    requests:    their columns.
    positions:   int64, one a request: its place in the log.
    version:     id of the version that answered: one for all, or one a request.
    features:    float64, requests x features.
    predictions: output name -> one value a request.
    """
    packed = np.ascontiguousarray(features, "<f8")
    width = packed.shape[1] * 8
    data = packed.tobytes()
    rows = [data[start : start + width] for start in range(0, len(data), width)] if width else [b""] * len(packed)
    return requests.with_columns(
        pl.Series(POSITION, positions),
        pl.lit(version).alias(VERSION) if isinstance(version, str) else pl.Series(VERSION, version, pl.String),
        pl.Series(FEATURES, rows, pl.Binary),
        *(pl.Series(PREDICTION + name, values) for name, values in predictions.items()),
    )


def feature_matrix(rows: pl.DataFrame, features: int) -> Matrix:
    """The feature bits of prediction rows as a matrix: float64, rows x features."""
    data = b"".join(rows.get_column(FEATURES).to_list())
    return np.frombuffer(data, "<f8").reshape(rows.height, features)


def output_names(columns: Sequence[str]) -> list[str]:
    """The names of the outputs among the columns of prediction rows."""
    return [name.removeprefix(PREDICTION) for name in columns if name.startswith(PREDICTION)]
