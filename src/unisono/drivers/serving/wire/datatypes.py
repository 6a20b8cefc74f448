"""The Open Inference Protocol's datatypes: what numpy calls them, what columns are of them, what fits into what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.models.tensors import ELEMENTS
from unisono.spec.types import DType, Tensor

BYTES = "BYTES"
NUMBERS: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
"""Datatype -> numpy's type. BF16 is left out: numpy has none."""

DATATYPES = (*NUMBERS, BYTES)

_OF_NUMPY = {kind: name for name, kind in NUMBERS.items()}
_OF_COLUMN: Mapping[str, str] = {
    "String": BYTES,
    "Int64": "INT64",
    "Float64": "FP64",
    "Decimal": "FP64",
    "Bool": "BOOL",
    "Timestamp": "INT64",
}


def datatype_of_column(dtype: DType) -> str:
    """The datatype in which a column's values are asked for.

    >>> datatype_of_column(Tensor("Float32", (2,)))
    'FP32'
    """
    return _OF_NUMPY[np.dtype(ELEMENTS[dtype.element])] if isinstance(dtype, Tensor) else _OF_COLUMN[dtype.name]


def datatype_of_values(values: NDArray[Any]) -> str:
    """The datatype in which an output leaves: text is BYTES."""
    return _OF_NUMPY.get(values.dtype, BYTES)


def fits(given: str, wanted: str) -> bool:
    """Whether every value of one datatype is a value of the other, so that nothing is rounded.

    >>> fits("FP32", "FP64"), fits("INT64", "FP64"), fits("INT32", "FP64"), fits("UINT8", "INT64")
    (True, False, True, True)
    """
    if given == wanted:
        return True
    if BYTES in (given, wanted):
        return False
    source, target = NUMBERS[given], NUMBERS[wanted]
    if "b" in (source.kind, target.kind):
        return False
    if target.kind == "f" and source.kind in "iu":
        return source.itemsize * 8 - (source.kind == "i") <= np.finfo(target).nmant + 1
    return np.can_cast(source, target, "safe")
