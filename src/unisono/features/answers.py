"""The kernel's answers as columns of a frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.kernel.codec import NULL_FLOAT_BITS
from unisono.kernel.layout import NAN_BITS

Matrix = NDArray[np.float64]


def feature_columns(names: Sequence[str], answers: Matrix) -> Iterable[pl.Series]:
    """One Float64 series a feature; where the kernel said null there is none.

    names:   one a column of the matrix.
    answers: float64, requests x features.
    """
    for index, name in enumerate(names):
        values = np.ascontiguousarray(answers[:, index])
        nulls = values.view(np.int64) == NULL_FLOAT_BITS
        column = pl.Series(name, values)
        yield column.set(pl.Series(nulls), None) if nulls.any() else column


def matrix(frame: pl.DataFrame, names: Sequence[str]) -> Matrix:
    """Feature columns of a frame as the kernel gave them: the way back of `feature_columns`.

    Raises nothing: the columns are ours.
    """
    answers = np.empty((frame.height, len(names)))
    for index, name in enumerate(names):
        column = frame.get_column(name)
        answers[:, index] = column.fill_null(0.0).to_numpy()
        if column.null_count():
            answers.view(np.int64)[column.is_null().to_numpy(), index] = NULL_FLOAT_BITS
    return answers


def without_nulls(answers: Matrix) -> Matrix:
    """The same answers with NaN for null, as the graph takes them."""
    bits = answers.view(np.int64)
    nulls = bits == NULL_FLOAT_BITS
    return np.where(nulls, np.int64(NAN_BITS), bits).view(np.float64) if nulls.any() else answers
