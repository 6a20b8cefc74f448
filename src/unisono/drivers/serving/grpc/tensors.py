"""Tensors in protobuf messages: typed contents, or all of them in binary form behind the inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from unisono.drivers.serving.calls import Answered
from unisono.drivers.serving.grpc.messages import MESSAGES
from unisono.drivers.serving.refusals import RefusalError
from unisono.drivers.serving.wire.asked import Asked
from unisono.drivers.serving.wire.datatypes import BYTES, NUMBERS
from unisono.drivers.serving.wire.oip import answer_parameters
from unisono.drivers.serving.wire.tensors import (
    InputTensor,
    OutputTensor,
    check_announced,
    decode_raw,
    encode_raw,
    tensor_error,
)

_CONTENTS: Mapping[str, str] = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    BYTES: "bytes_contents",
}
"""Datatype -> the field that has its values; FP16 is only there in binary form."""


def decode_infer(message: Any) -> Asked:
    """What a ModelInferRequest asks for. Raises RefusalError for one that is none, InputError for a tensor."""
    raws = message.raw_input_contents
    if raws and len(raws) != len(message.inputs):
        seen = f"{len(raws)} raw_input_contents for {len(message.inputs)} inputs"
        raise RefusalError("bad_request", f"{seen}; allowed: one each, in their order, or none; correct the request")
    tensors = [
        _tensor(one, raws[place] if raws else None)  # raws are as many as inputs, see above
        for place, one in enumerate(message.inputs)
    ]
    outputs = [one.name for one in message.outputs] or None
    return Asked(tensors, outputs, message.id, _timeout_s(message))


def _timeout_s(message: Any) -> float | None:
    if "timeout" not in message.parameters:
        return None
    value = message.parameters["timeout"]
    timeout = getattr(value, value.WhichOneof("parameter_choice") or "int64_param")
    if type(timeout) is not int or timeout < 0:
        raise RefusalError("bad_request", "timeout: no whole number; allowed: microseconds, from 0; correct it")
    return timeout / 1e6 if timeout else None


def _tensor(one: Any, raw: bytes | None) -> InputTensor:
    shape = tuple(one.shape)
    elements = check_announced(one.name, one.datatype, shape)
    if raw is None:
        return InputTensor(one.name, one.datatype, shape, _contents(one, elements))
    if one.HasField("contents"):
        raise tensor_error(one.name, "both contents and raw_input_contents", "one of them")
    return InputTensor(one.name, one.datatype, shape, decode_raw(one.name, one.datatype, elements, memoryview(raw)))


def _contents(one: Any, elements: int) -> list[Any] | np.ndarray[Any, Any]:
    field = _CONTENTS.get(one.datatype)
    if field is None:
        raise tensor_error(one.name, f"{one.datatype} in contents", "raw_input_contents for this datatype")
    values = list(getattr(one.contents, field))
    if len(values) != elements:
        raise tensor_error(one.name, f"{len(values)} {field}", f"{elements}, as its shape says")
    if field not in ("int_contents", "uint_contents", "fp32_contents", "uint64_contents"):
        return values
    try:
        return np.array(values, NUMBERS[one.datatype])
    except OverflowError as error:
        raise tensor_error(one.name, str(error), f"values of {one.datatype}") from error


def encode_infer(model: str, asked: Asked, answered: Answered, outputs: list[OutputTensor], *, is_raw: bool) -> bytes:
    """A ModelInferResponse.

    is_raw: whether the outputs are in binary form, as those of FP16 always are.
    """
    response = MESSAGES["ModelInferResponse"](model_name=model, model_version=answered.version, id=asked.id)
    for name, value in answer_parameters(answered).items():
        kind = "string_param" if isinstance(value, str) else "int64_param"
        setattr(response.parameters[name], kind, value)
    is_raw = is_raw or any(one.datatype == "FP16" for one in outputs)
    for one in outputs:
        tensor = response.outputs.add(name=one.name, datatype=one.datatype, shape=one.values.shape)
        if is_raw:
            response.raw_output_contents.append(encode_raw(one.values))
        else:
            getattr(tensor.contents, _CONTENTS[one.datatype]).extend(_plain(one))
    encoded: bytes = response.SerializeToString()
    return encoded


def _plain(one: OutputTensor) -> list[Any]:
    values = one.values.ravel().tolist()
    return [str(value).encode() for value in values] if one.datatype == BYTES else values
