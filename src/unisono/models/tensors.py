"""What the values of Tensor columns are made of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

ELEMENTS: Mapping[str, type[np.generic]] = {
    "UInt8": np.uint8,
    "Int32": np.int32,
    "Int64": np.int64,
    "Float32": np.float32,
    "Float64": np.float64,
}
"""Element -> numpy's type of it."""
