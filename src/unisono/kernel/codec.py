"""Null and NaN in arrays: how values enter the kernel and how answers leave it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unisono.kernel import layout

NULL_INT = layout.NULL_INT
NULL_FLOAT_BITS = layout.NULL_BITS
NO_ID = layout.NO_ID

#: The float64 that means null in an answer: a quiet NaN with its own payload.
NULL = np.array([NULL_FLOAT_BITS], np.int64).view(np.float64)[0]


def nulls(answers: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which values of an answer are null, told apart from NaN by their bits."""
    mask: npt.NDArray[np.bool_] = answers.view(np.int64) == NULL_FLOAT_BITS
    return mask


def with_nulls(values: npt.NDArray[np.float64], missing: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """A copy of float64 values in which those that are missing are null."""
    coded = values.copy()
    coded.view(np.int64)[missing] = NULL_FLOAT_BITS
    return coded
