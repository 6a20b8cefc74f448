"""Goes through the bytes of a graph before protobuf does: counts what parsing would build, and refuses fields that no
graph of ours has.

Protobuf builds a hundred bytes out of two, so the size of a file says little about the memory it takes. A graph is
therefore walked along its lengths first, which builds nothing and steps over the data of tensors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from onnx import ModelProto

from unisono.models.judging.limits import GraphLimits
from unisono.models.judging.refusal import refused

_VARINT, _EIGHT, _LENGTH, _FOUR = 0, 1, 2, 5
_ORT_MARK = b"ORTM"  # a sound ONNX model can have it there, and would be judged as one thing and run as another
_RUN = 4096  # how many numbers of a list are stepped over at once

FIELDS: Mapping[str, str] = {
    "ModelProto": "ir_version opset_import producer_name producer_version domain model_version doc_string graph "
    "metadata_props",
    "OperatorSetIdProto": "domain version",
    "StringStringEntryProto": "key value",
    "GraphProto": "node name initializer doc_string input output value_info metadata_props",
    "NodeProto": "input output name op_type domain attribute doc_string metadata_props",
    "AttributeProto": "name doc_string type f i s t g floats ints strings",
    "TensorProto": "dims data_type float_data int32_data string_data int64_data name doc_string raw_data double_data "
    "uint64_data",
    "ValueInfoProto": "name type doc_string metadata_props",
    "TypeProto": "tensor_type denotation",
    "Tensor": "elem_type shape",
    "TensorShapeProto": "dim",
    "Dimension": "dim_value dim_param denotation",
}
"""What a message may have; message and field as ONNX calls them."""

_WHY: Mapping[str, str] = {
    "ModelProto.functions": "functions, which can hide operators",
    "ModelProto.training_info": "a graph for training",
    "TensorProto.external_data": "external data, which lies in other files",
    "TensorProto.data_location": "external data, which lies in other files",
    "GraphProto.sparse_initializer": "sparse tensors, whose size is not that of their data",
    "AttributeProto.sparse_tensor": "sparse tensors, whose size is not that of their data",
    "AttributeProto.ref_attr_name": "attributes of a function, which can hide operators",
    "NodeProto.overload": "functions, which can hide operators",
    "TypeProto.sequence_type": "sequences of tensors",
    "TypeProto.map_type": "maps",
}


class Field(NamedTuple):
    """A field that may be there.

    wire:     how it is written.
    repeated: whether it may come more than once.
    message:  name of the message that it holds, or "".
    text:     whether it is text.
    long:     whether that text may be longer than others.
    raw:      whether it is the data of a tensor, which is stepped over.
    run:      matches many of a list of numbers at once.
    """

    wire: int
    repeated: bool
    message: str
    text: bool
    long: bool
    raw: bool
    run: re.Pattern[bytes] | None


def judge_wire(graph: bytes, limits: GraphLimits) -> None:
    """Raises ModelError, with the reason, for bytes that would build too much, or something that is not allowed.

    Cost: about a microsecond a part, whatever the size of the tensors.
    """
    if len(graph) > limits.graph_bytes:
        raise refused(f"{len(graph)} bytes", f"at most {limits.graph_bytes}")
    if graph[4:8] == _ORT_MARK:
        raise refused("bytes that onnxruntime would read in a format of its own", "an ONNX model")
    _Walk(graph, limits).message("ModelProto", 0, len(graph), 0)


class _Walk:
    """One walk through a graph, with what is left of its limits."""

    def __init__(self, graph: bytes, limits: GraphLimits) -> None:
        self._data = graph
        self._limits = limits
        self._parts = limits.parts
        self._loose = limits.loose_bytes

    def message(self, name: str, place: int, end: int, depth: int) -> None:
        """Walks through a message from one place to another."""
        if depth > self._limits.depth:
            raise refused("messages too deep in each other", f"{self._limits.depth} levels")
        fields = _fields()[name]
        seen: set[int] = set()
        while place < end:
            start = place
            tag, place = self._number(place, end)
            field = fields.get(tag >> 3)
            if field is None:
                raise refused(*_unknown(name, tag >> 3))
            if field.wire != tag & 7:
                raise refused(f"{name} has a field {tag >> 3} that is written in another way", "as ONNX writes it")
            if not field.repeated and tag in seen:
                raise refused(f"{name} has its field {tag >> 3} twice", "once")
            seen.add(tag)
            place = self._value(field, start, place, end, depth)

    def _value(self, field: Field, start: int, place: int, end: int, depth: int) -> int:
        """Steps over a value, or a run of them; returns where it ends."""
        if field.wire != _LENGTH:
            after = self._scalars(field, start, place, end)
            self._use(after - start)
            return after
        length, first = self._number(place, end)
        after = first + length
        if after > end:
            raise _cut_off()
        self._parts -= 1
        if self._parts < 0:
            raise refused(f"more than {self._limits.parts} parts", "fewer; use a smaller model")
        if field.message:
            self._use(first - start)
            self.message(field.message, first, after, depth + 1)
        elif not field.raw:
            self._use(after - start)
            self._text(field, first, after)
        return after

    def _scalars(self, field: Field, start: int, place: int, end: int) -> int:
        run = field.run.match(self._data, start, end) if field.run else None
        if run:
            return run.end()
        after = self._number(place, end)[1] if field.wire == _VARINT else place + (8 if field.wire == _EIGHT else 4)
        if after > end:
            raise _cut_off()
        return after

    def _text(self, field: Field, first: int, after: int) -> None:
        if not field.text:
            return
        if after - first > self._limits.text_bytes and not field.long:
            raise refused(f"a text of {after - first} bytes", f"at most {self._limits.text_bytes}")
        try:
            self._data[first:after].decode()
        except UnicodeDecodeError as error:
            raise refused("a text that is not UTF-8", "UTF-8") from error

    def _use(self, size: int) -> None:
        self._loose -= size
        if self._loose < 0:
            raise refused(f"more than {self._limits.loose_bytes} bytes beside the data of tensors", "fewer")

    def _number(self, place: int, end: int) -> tuple[int, int]:
        """The number that begins at a place, and where it ends."""
        value = shift = 0
        while place < end and shift < 70:
            byte = self._data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, place
            shift += 7
        raise _cut_off()


def _cut_off() -> Exception:
    return refused("is cut off or damaged", "a whole ONNX model")


def _unknown(message: str, number: int) -> tuple[str, str]:
    known = _descriptors()[message].fields_by_number.get(number)
    path = f"{message}.{known.name}" if known else f"{message}.{number}"
    return _WHY.get(path, f"a field {path}"), "what our graphs have"


@cache
def _fields() -> Mapping[str, Mapping[int, Field]]:
    return {
        message: {
            one.number: _field(message, one) for one in map(descriptor.fields_by_name.get, FIELDS[message].split())
        }
        for message, descriptor in _descriptors().items()
    }


@cache
def _descriptors() -> Mapping[str, Any]:
    """The messages of FIELDS, as protobuf describes them."""
    found: dict[str, Any] = {}
    waiting = [ModelProto.DESCRIPTOR]
    while waiting:
        message = waiting.pop()
        if message.name in found or message.name not in FIELDS:
            continue
        found[message.name] = message
        waiting += [one.message_type for one in message.fields if one.message_type]
    return found


def _field(message: str, one: Any) -> Field:
    wire = _LENGTH if one.is_packed else _WIRES.get(one.type, _VARINT)
    run = _run(one.number << 3 | wire, wire) if one.is_repeated and wire != _LENGTH and one.number < 16 else None
    held = one.message_type.name if one.message_type else ""
    is_long = (message, one.name) == ("StringStringEntryProto", "value")
    return Field(wire, one.is_repeated, held, one.type == one.TYPE_STRING, is_long, one.name == "raw_data", run)


_WIRES = {1: _EIGHT, 2: _FOUR, 9: _LENGTH, 11: _LENGTH, 12: _LENGTH}
"""Protobuf's number of a type -> how it is written; the others are varints."""

_NUMBERS = {_VARINT: rb"[\x80-\xff]{0,9}[\x00-\x7f]", _EIGHT: rb".{8}", _FOUR: rb".{4}"}


def _run(tag: int, wire: int) -> re.Pattern[bytes]:
    one = re.escape(bytes([tag])) + _NUMBERS[wire]
    return re.compile(rb"(?:%b){1,%d}+" % (one, _RUN), re.DOTALL)
