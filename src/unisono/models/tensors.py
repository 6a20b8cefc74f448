"""Values of Tensor columns as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.spec.types import Tensor

Array = NDArray[Any]

ELEMENTS: Mapping[str, type[np.generic]] = {
    "UInt8": np.uint8,
    "Int32": np.int32,
    "Int64": np.int64,
    "Float32": np.float32,
    "Float64": np.float64,
}
"""Element -> numpy's type of it."""


def tensor_of(value: object, dtype: Tensor) -> Array | None:
    """One value as an array of the dtype's element and shape; None if it is no such value.

    value: an array or nested lists. Numbers for a float element are rounded once, from float64, and stay finite.
    """
    try:
        array = np.asarray(value)
    except ValueError:  # lists of unequal length
        return None
    element = ELEMENTS[dtype.element]
    allowed_kinds = "iuf" if np.issubdtype(element, np.floating) else "iu"
    if array.shape != dtype.shape or array.dtype.kind not in allowed_kinds:
        return None
    if "f" in allowed_kinds:
        with np.errstate(over="ignore"):  # becomes infinite, and is refused for that
            numbers = array.astype(np.float64).astype(element)
        return numbers if np.isfinite(numbers).all() else None
    whole = array.astype(element)
    return whole if (whole == array).all() else None
