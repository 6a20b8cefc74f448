"""The kernel's answers as columns of a frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.kernel.codec import NULL_FLOAT_BITS
from unisono.kernel.layout import NAN_BITS

Matrix = NDArray[np.float64]


_BLOCK = 1 << 12  # rows that stay in the cache while they are turned into columns


def feature_columns(names: Sequence[str], answers: Matrix) -> list[pl.Series]:
    """One Float64 series a feature; where the kernel said null there is none.

    names:   one a column of the matrix.
    answers: float64, requests x features.
    """
    columns = np.empty(answers.shape[::-1])
    for start in range(0, len(answers), _BLOCK):
        columns[:, start : start + _BLOCK] = answers[start : start + _BLOCK].T
    return [_column(name, values) for name, values in zip(names, columns, strict=True)]


def _column(name: str, values: NDArray[np.float64]) -> pl.Series:
    nulls = values.view(np.int64) == NULL_FLOAT_BITS
    if not nulls.any():
        return pl.Series(name, values)
    if np.count_nonzero(nulls) == np.count_nonzero(np.isnan(values)):
        return pl.Series(name, values, nan_to_null=True)
    return pl.Series(name, values).set(pl.Series(nulls), None)


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
