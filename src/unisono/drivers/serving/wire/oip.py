"""The Open Inference Protocol over HTTP: JSON, with tensors in the text or in binary form behind it.

The binary form is Triton's "binary tensor data extension": the header `inference-header-content-length` says where the
JSON ends; tensors that announce `binary_data_size` follow, one behind the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from unisono.drivers.serving.calls import Answered
from unisono.drivers.serving.exchange import JSON, Headers, Response
from unisono.drivers.serving.refusals import RefusalError
from unisono.drivers.serving.wire.asked import Asked
from unisono.drivers.serving.wire.datatypes import BYTES, NUMBERS
from unisono.drivers.serving.wire.instants import text_of
from unisono.drivers.serving.wire.tensors import (
    Array,
    InputTensor,
    OutputTensor,
    check_announced,
    decode_raw,
    encode_raw,
    tensor_error,
)
from unisono.spec.wording import one_line

JSON_LENGTH = b"inference-header-content-length"
OCTETS = (b"content-type", b"application/octet-stream")

_OPENING = re.compile(rb"[\s\[]*")
_ENCODER = msgspec.json.Encoder()


# Fields that are not known, priorities for example, are ignored; null means left out, as some clients write it.


class _InputParameters(Struct, gc=False):
    binary_data_size: int | None = None


class _Input(Struct, gc=False):
    name: str
    shape: list[int]
    datatype: str
    parameters: _InputParameters | None = None
    data: Raw | UnsetType = UNSET


class _OutputParameters(Struct, gc=False):
    binary_data: bool | None = None


class _Output(Struct, gc=False):
    name: str
    parameters: _OutputParameters | None = None


class _Parameters(Struct, gc=False):
    timeout: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    binary_data_output: bool | None = None


class _Request(Struct, gc=False):
    inputs: list[_Input]
    id: str | None = None
    parameters: _Parameters | None = None
    outputs: list[_Output] | None = None


_DECODER = msgspec.json.Decoder(_Request)


class Form(NamedTuple):
    """How a caller wants the outputs.

    binary: whether in binary form, unless said otherwise for one.
    each:   output name -> whether in binary form.
    """

    binary: bool = False
    each: Mapping[str, bool] = {}

    def is_binary(self, name: str) -> bool:
        """Whether an output leaves in binary form."""
        return self.each.get(name, self.binary)


def decode_infer(body: bytes, json_length: bytes | None) -> tuple[Asked, Form]:
    """What a body asks for, and how its outputs are wanted.

    json_length: what the header says of how long the JSON is; None: all of the body.

    Raises RefusalError for a body that is no such request, InputError for a tensor that is none.
    """
    text, behind = _parted(body, json_length)
    request = _parse(text)
    tensors = _tensors(request.inputs, behind)
    parameters = request.parameters
    timeout = parameters.timeout if parameters else None
    wanted = None if not request.outputs else [one.name for one in request.outputs]
    asked = Asked(tensors, wanted, request.id or "", timeout / 1e6 if timeout else None)
    return asked, _form(request)


def _parted(body: bytes, json_length: bytes | None) -> tuple[memoryview, memoryview]:
    view = memoryview(body)
    if json_length is None:
        return view, view[len(body) :]
    if not json_length.isdigit() or len(json_length) > 18 or int(json_length) > len(body):
        seen = json_length[:20].decode("latin-1")
        raise _bad(f"{JSON_LENGTH.decode()}: {seen}", f"the length of the JSON, at most the body's {len(body)} bytes")
    return view[: int(json_length)], view[int(json_length) :]


def _parse(text: memoryview) -> _Request:
    try:
        return _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise _bad(f"not UTF-8 ({error.reason} at byte {error.start})", "JSON in UTF-8") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise _bad(one_line(error), "an inference request of the Open Inference Protocol") from error


def _tensors(inputs: Sequence[_Input], behind: memoryview) -> list[InputTensor]:
    tensors: list[InputTensor] = []
    for one in inputs:
        size = one.parameters.binary_data_size if one.parameters else None
        if size is None:
            tensors.append(_text_tensor(one))
            continue
        if not 0 <= size <= len(behind):
            raise tensor_error(
                one.name[:100], f"binary_data_size {size}", f"0 to {len(behind)}: what is left of the body"
            )
        if one.data is not UNSET:
            raise tensor_error(one.name[:100], "both data and binary_data_size", "one of them")
        elements = check_announced(one.name, one.datatype, one.shape)
        values = decode_raw(one.name, one.datatype, elements, behind[:size])
        tensors.append(InputTensor(one.name, one.datatype, tuple(one.shape), values))
        behind = behind[size:]
    if len(behind):
        raise _bad(f"{len(behind)} bytes behind the last tensor", "a body that its tensors fill")
    return tensors


def _form(request: _Request) -> Form:
    each = {
        one.name: one.parameters.binary_data
        for one in request.outputs or ()
        if one.parameters is not None and one.parameters.binary_data is not None
    }
    return Form(bool(request.parameters and request.parameters.binary_data_output), each)


# Values in the text --------------------------------------------------------------------------------------------------


def _text_tensor(one: _Input) -> InputTensor:
    elements = check_announced(one.name, one.datatype, one.shape)
    if one.data is UNSET:
        raise tensor_error(one.name, "no data", "data, or binary_data_size")
    depth = _depth(bytes(one.data))
    if depth not in (1, len(one.shape)):
        raise tensor_error(
            one.name, f"data as {depth} lists in one another", f"1, or {len(one.shape)} as its shape has"
        )
    try:
        values = _data_decoder(one.datatype, depth).decode(one.data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise tensor_error(one.name, one_line(error), f"values of {one.datatype}") from error
    flat = values if depth == 1 else _flattened(one.name, values, one.shape)
    if len(flat) != elements:
        raise tensor_error(one.name, f"{len(flat)} values", f"{elements}, as its shape says")
    return InputTensor(one.name, one.datatype, tuple(one.shape), _typed(one.name, one.datatype, flat))


def _depth(data: bytes) -> int:
    """In how many lists the first value is."""
    if data.startswith(b"[") and data.find(b"[", 1) < 0:  # as most data is
        return 1
    opening = _OPENING.match(data)
    return opening[0].count(b"[") if opening else 0


@cache
def _data_decoder(datatype: str, depth: int) -> msgspec.json.Decoder[Any]:
    """Of data in lists so deep; the lists are at most as deep as a shape has sides, see `_text_tensor`."""
    kind: Any = _value_type(datatype)
    for _ in range(depth):
        kind = list[kind]
    return msgspec.json.Decoder(kind)


def _value_type(datatype: str) -> Any:
    if datatype == BYTES:
        return str
    kind = NUMBERS[datatype]
    if kind.kind in "bf":
        return bool if kind.kind == "b" else float
    if datatype == "UINT64":  # a limit above int64 is checked where the values are put into an array
        return Annotated[int, Meta(ge=0)]
    limits = np.iinfo(kind)
    return Annotated[int, Meta(ge=int(limits.min), le=int(limits.max))]


def _flattened(name: str, values: list[Any], shape: Sequence[int]) -> list[Any]:
    for side in shape[1:]:
        if any(len(value) != side for value in values):
            raise tensor_error(name, "lists of unequal length", f"lists of {side}, as its shape says")
        values = list(chain.from_iterable(values))
    return values


def _typed(name: str, datatype: str, values: list[Any]) -> Array | list[Any]:
    """The values as they are if Python has this datatype, else rounded to it once."""
    if datatype in ("FP64", "INT64", "BOOL", BYTES):
        return values
    try:
        with np.errstate(over="ignore"):  # becomes infinite, and is refused for that
            typed = np.array(values, NUMBERS[datatype])
    except OverflowError as error:
        raise tensor_error(name, one_line(error), f"values of {datatype}") from error
    if datatype.startswith("FP") and not np.isfinite(typed).all():
        raise tensor_error(name, f"a value that is too large for {datatype}", f"values of {datatype}")
    return typed


# Answers -------------------------------------------------------------------------------------------------------------


def encode_infer(
    model: str, asked: Asked, answered: Answered, outputs: Sequence[OutputTensor], *, form: Form
) -> Response:
    """An answer. In the text, a number that is not finite is null; in binary form it is itself."""
    raws = [encode_raw(one.values) if form.is_binary(one.name) else None for one in outputs]
    body: dict[str, Any] = {"model_name": model, "model_version": answered.version}
    if asked.id:
        body["id"] = asked.id
    body["parameters"] = answer_parameters(answered)
    body["outputs"] = [_output(one, raw) for one, raw in zip(outputs, raws, strict=True)]
    text = _ENCODER.encode(body)
    behind = [raw for raw in raws if raw is not None]
    if not behind:
        return Response(200, text)
    headers: Headers = (OCTETS, (JSON_LENGTH, str(len(text)).encode()))
    return Response(200, b"".join([text, *behind]), headers)


def answer_parameters(answered: Answered) -> dict[str, int | str]:
    """What an answer says beside its outputs: the log's position, and the rows' time if it is the same for all."""
    times = answered.times
    if len(times) > 1 and min(times) != max(times):
        return {"position": answered.position}
    return {"position": answered.position, "time": text_of(times[0])}


def _output(one: OutputTensor, raw: bytes | None) -> dict[str, Any]:
    output: dict[str, Any] = {"name": one.name, "datatype": one.datatype, "shape": one.values.shape}
    if raw is None:
        output["data"] = one.values.ravel().tolist()
    else:
        output["parameters"] = {"binary_data_size": len(raw)}
    return output


def encode_json(value: object) -> Response:
    """Any other answer of the protocol."""
    return Response(200, _ENCODER.encode(value), (JSON,))


def _bad(seen: str, allowed: str) -> RefusalError:
    return RefusalError("bad_request", f"{seen}; allowed: {allowed}; correct the request")
