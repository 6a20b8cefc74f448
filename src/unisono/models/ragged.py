"""Rows of unequal lengths in one array: an array of arrays, so that it is cut and joined like any other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[Any]


def ragged(rows: Sequence[Tensor]) -> Tensor:
    """Arrays as one array of them.

    >>> [len(row) for row in ragged([np.array([7, 8]), np.array([9])])]
    [2, 1]
    """
    whole = np.empty(len(rows), object)
    for place, row in enumerate(rows):
        whole[place] = row
    return whole


def is_ragged(array: Tensor) -> bool:
    """Whether this is such an array, of one row or more."""
    return array.dtype == object and array.ndim == 1 and len(array) > 0 and isinstance(array[0], np.ndarray)
