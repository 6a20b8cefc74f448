"""What a transform's function returned, judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ndonnx
from ndonnx import extensions

from unisono.spec.types import Bool, DType, Float64, Int64, String, Timestamp
from unisono.spec.wording import NAME_ALLOWED, is_name, quoted

Problem = tuple[str, str, str]
"""What was seen, what was allowed, the next step."""

_RETURNS = 'return {"hour": hours % 24}'
_KINDS = "one array a column: booleans, whole numbers, floats, strings or datetimes"


@dataclass(frozen=True, slots=True)
class Output:
    """One derived column.

    values: the spox value of its tensor.
    nulls:  the spox value that says where the function itself made a null; None if nowhere.
    """

    name: str
    dtype: DType
    values: Any
    nulls: Any


def judge_outputs(answer: object) -> tuple[list[Output], list[Problem]]:
    """The derived columns of a function's answer, and what is wrong with the others."""
    if not isinstance(answer, Mapping) or not answer:
        seen = f"it returns {quoted(answer)}" if not isinstance(answer, Mapping) else "it returns no columns"
        return [], [(seen, "a mapping of column name to array", _RETURNS)]
    outputs: list[Output] = []
    problems: list[Problem] = []
    for name, array in answer.items():
        judged = _judge(name, array)
        if isinstance(judged, Output):
            outputs.append(judged)
        else:
            problems.append(judged)
    return outputs, problems


def _judge(name: object, array: object) -> Output | Problem:
    if not isinstance(name, str) or not is_name(name):
        return (f"it returns {quoted(name)}, which is not a name", NAME_ALLOWED, _RETURNS)
    if not isinstance(array, ndonnx.Array):
        return (f'"{name}" is {quoted(array)}', _KINDS, "make it of a column, e.g. xp.full_like(column, 1)")
    if array.ndim != 1 or not _is_a_row_each(array):
        shape = tuple("rows" if size is None else size for size in array.shape)
        step = "make it of whole columns; to add up columns of a row: xp.sum(xp.stack([a, b], axis=1), axis=1)"
        return (f'"{name}" has the shape {shape}', "one value a row", step)
    column = _typed(array)
    if column is None:
        step = 'convert it, e.g. .astype("int64")'
        return (f'"{name}" has the type {array.dtype}', _KINDS, step)
    dtype, values, nulls = column
    return Output(name, dtype, values.disassemble(), None if nulls is None else nulls.disassemble())


def _is_a_row_each(array: Any) -> bool:
    values: Any = extensions.get_data(array).disassemble()
    (length,) = values.unwrap_tensor().shape or (None,)
    return length is None or length == "N"  # None: not known before it runs, so `mixed_rows` finds out


def _typed(array: Any) -> tuple[DType, Any, Any] | None:
    """dtype, values and nulls; None if no dtype fits."""
    if isinstance(array.dtype, ndonnx.DateTime64DType):
        instants = array.astype(ndonnx.DateTime64DType("us"))
        return Timestamp, extensions.get_data(instants), ndonnx.isnan(instants)
    if isinstance(array.dtype, ndonnx.TimeDelta64DType):
        return None
    nulls = extensions.get_mask(array)
    values = extensions.get_data(array)
    kind = values.dtype
    if kind == ndonnx.bool:
        return Bool, values, nulls
    if kind == ndonnx.utf8:
        return String, values, nulls
    if kind in (ndonnx.float64, ndonnx.float32, ndonnx.float16):
        return Float64, values.astype(ndonnx.float64), nulls
    if extensions.is_integer_dtype(kind) and kind != ndonnx.uint64:
        return Int64, values.astype(ndonnx.int64), nulls
    return None
