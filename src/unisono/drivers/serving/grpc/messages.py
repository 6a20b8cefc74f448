"""The messages of `inference.GRPCInferenceService`, built from one table. No generated code.

Names and numbers are those of the Open Inference Protocol's `open_inference_grpc.proto` and, for the repository, of
Triton's `grpc_service.proto`. The pool is our own: another library's copy of the messages does not meet it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "inference.GRPCInferenceService"

_TABLE = """
ServerLiveRequest
ServerLiveResponse: bool live=1
ServerReadyRequest
ServerReadyResponse: bool ready=1
ModelReadyRequest: string name=1, string version=2
ModelReadyResponse: bool ready=1
ServerMetadataRequest
ServerMetadataResponse: string name=1, string version=2, repeated string extensions=3
ModelMetadataRequest: string name=1, string version=2
ModelMetadataResponse: string name=1, repeated string versions=2, string platform=3,
  repeated ModelMetadataResponse.TensorMetadata inputs=4, repeated ModelMetadataResponse.TensorMetadata outputs=5
ModelMetadataResponse.TensorMetadata: string name=1, string datatype=2, repeated int64 shape=3
InferParameter: oneof bool bool_param=1, oneof int64 int64_param=2, oneof string string_param=3,
  oneof double double_param=4, oneof uint64 uint64_param=5
InferTensorContents: repeated bool bool_contents=1, repeated int32 int_contents=2, repeated int64 int64_contents=3,
  repeated uint32 uint_contents=4, repeated uint64 uint64_contents=5, repeated float fp32_contents=6,
  repeated double fp64_contents=7, repeated bytes bytes_contents=8
ModelInferRequest: string model_name=1, string model_version=2, string id=3, map InferParameter parameters=4,
  repeated ModelInferRequest.InferInputTensor inputs=5, repeated ModelInferRequest.InferRequestedOutputTensor outputs=6,
  repeated bytes raw_input_contents=7
ModelInferRequest.InferInputTensor: string name=1, string datatype=2, repeated int64 shape=3,
  map InferParameter parameters=4, InferTensorContents contents=5
ModelInferRequest.InferRequestedOutputTensor: string name=1, map InferParameter parameters=2
ModelInferResponse: string model_name=1, string model_version=2, string id=3, map InferParameter parameters=4,
  repeated ModelInferResponse.InferOutputTensor outputs=5, repeated bytes raw_output_contents=6
ModelInferResponse.InferOutputTensor: string name=1, string datatype=2, repeated int64 shape=3,
  map InferParameter parameters=4, InferTensorContents contents=5
RepositoryIndexRequest: string repository_name=1, bool ready=2
RepositoryIndexResponse: repeated RepositoryIndexResponse.ModelIndex models=1
RepositoryIndexResponse.ModelIndex: string name=1, string version=2, string state=3, string reason=4
ModelRepositoryParameter: oneof bool bool_param=1, oneof int64 int64_param=2, oneof string string_param=3,
  oneof bytes bytes_param=4
RepositoryModelLoadRequest: string repository_name=1, string model_name=2, map ModelRepositoryParameter parameters=3
RepositoryModelLoadResponse
RepositoryModelUnloadRequest: string repository_name=1, string model_name=2, map ModelRepositoryParameter parameters=3
RepositoryModelUnloadResponse
"""

_FIELD = re.compile(r"(?:(?P<form>repeated|map|oneof) )?(?P<kind>[\w.]+) (?P<name>\w+)=(?P<number>\d+)")
_Field = descriptor_pb2.FieldDescriptorProto


def _lines() -> Iterator[tuple[str, str]]:
    """Name of each message, and its fields."""
    for line in _TABLE.strip().replace(",\n  ", ", ").split("\n"):
        name, _, fields = line.partition(": ")
        yield name, fields


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="unisono/inference.proto", package="inference", syntax="proto3")
    known: dict[str, descriptor_pb2.DescriptorProto] = {}
    for name, fields in _lines():
        parent, _, own = name.rpartition(".")
        message = known[parent].nested_type.add(name=own) if parent else file.message_type.add(name=own)
        known[name] = message
        for field in _FIELD.finditer(fields):
            _add_field(message, f".inference.{name}", **field.groupdict())
    return file


def _add_field(
    message: descriptor_pb2.DescriptorProto, path: str, *, form: str | None, kind: str, name: str, number: str
) -> None:
    field = message.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
    if form == "map":
        entry = "".join(part.capitalize() for part in name.split("_")) + "Entry"
        _add_entry(message, entry, kind)
        kind = f"{path}.{entry}"[len(".inference.") :]
    if form in ("map", "repeated"):
        field.label = _Field.LABEL_REPEATED
    if form == "oneof":
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
        field.oneof_index = 0
    _set_type(field, kind)


def _add_entry(message: descriptor_pb2.DescriptorProto, name: str, kind: str) -> None:
    """A map is, in protobuf, a repeated message of key and value."""
    entry = message.nested_type.add(name=name)
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=_Field.LABEL_OPTIONAL, type=_Field.TYPE_STRING)
    _set_type(entry.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL), kind)


def _set_type(field: descriptor_pb2.FieldDescriptorProto, kind: str) -> None:
    if kind[0].isupper():
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".inference.{kind}"
    else:
        field.type = _Field.Type.Value(f"TYPE_{kind.upper()}")


def _classes() -> Mapping[str, Any]:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    names = [name for name, _ in _lines() if "." not in name]
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"inference.{name}")) for name in names}


MESSAGES: Mapping[str, Any] = _classes()
"""Name -> class, of all messages that are in no other."""
