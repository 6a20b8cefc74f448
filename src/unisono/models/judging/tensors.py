"""Whether a tensor has the data that it claims."""

from __future__ import annotations

import math
from collections.abc import Mapping

from onnx import TensorProto

from unisono.models.judging.limits import GraphLimits
from unisono.models.judging.refusal import refused
from unisono.spec.wording import quoted

_MAX_RANK = 16

_BYTES: Mapping[int, int] = {
    **dict.fromkeys((TensorProto.BOOL, TensorProto.INT8, TensorProto.UINT8), 1),
    **dict.fromkeys((TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.INT16, TensorProto.UINT16), 2),
    **dict.fromkeys((TensorProto.FLOAT, TensorProto.INT32, TensorProto.UINT32), 4),
    **dict.fromkeys((TensorProto.DOUBLE, TensorProto.INT64, TensorProto.UINT64), 8),
}
"""Type of an element -> its size; strings have none."""

_LISTS: Mapping[int, str] = {
    TensorProto.FLOAT: "float_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.INT64: "int64_data",
    TensorProto.UINT32: "uint64_data",
    TensorProto.UINT64: "uint64_data",
    TensorProto.STRING: "string_data",
}
"""Type of an element -> the list it may be written in instead of raw bytes; the smaller whole numbers share one."""

_PLACES = ("raw_data", "int32_data", *dict.fromkeys(_LISTS.values()))


def judge_tensor(tensor: TensorProto, limits: GraphLimits) -> None:
    """Raises ModelError if a tensor claims more, or less, than the data that is there."""
    name = quoted(tensor.name)
    if tensor.data_type not in _BYTES and tensor.data_type != TensorProto.STRING:
        raise refused(f"tensor {name} has elements of type {tensor.data_type}", "numbers, booleans and strings")
    if len(tensor.dims) > _MAX_RANK or any(size < 0 for size in tensor.dims):
        raise refused(
            f"tensor {name} of shape {list(tensor.dims[:_MAX_RANK])}", f"at most {_MAX_RANK} sizes of 0 or more"
        )
    count = math.prod(tensor.dims)
    size = _BYTES.get(tensor.data_type, 1)
    if count > limits.value_elements:
        raise refused(f"tensor {name} claims {count * size} bytes", f"at most {limits.value_elements} elements")
    held = _elements(tensor, name, size)
    if held != count:
        raise refused(f"tensor {name} claims {count} elements, and has {held:g}", "the data that it claims")


def _elements(tensor: TensorProto, name: str, size: int) -> float:
    """How many elements are there, in the one place where they may be."""
    is_raw = tensor.HasField("raw_data") and tensor.data_type != TensorProto.STRING
    place = "raw_data" if is_raw else _LISTS.get(tensor.data_type, "int32_data")
    others = [field for field in _PLACES if field != place and getattr(tensor, field)]
    if others:
        raise refused(f"tensor {name} has {others[0]}", f"its data in {place} alone")
    return len(tensor.raw_data) / size if is_raw else len(getattr(tensor, place))
