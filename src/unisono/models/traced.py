"""A transform as a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import onnx

from unisono.models.canonical import metadata_of
from unisono.spec.errors import DefinitionError
from unisono.spec.frozen import FrozenMapping, Schema
from unisono.spec.types import parse_dtype
from unisono.spec.wording import one_line

METADATA_KEY = "unisono.transform"


class _Signature(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a graph says of itself: dtypes by column."""

    reads: dict[str, dict[str, str]]
    outputs: dict[str, str]


@dataclass(frozen=True, slots=True)
class TracedTransform:
    """A transform as a graph.

    name:    the transform's.
    graph:   the bytes of an ONNX model, the same on every machine; inputs are called `NAMESPACE.COLUMN`, and
             `NAMESPACE.COLUMN.null` for where it has no value; outputs `COLUMN` and, if it may be null, `COLUMN.null`.
    reads:   namespace -> column -> dtype: what it needs.
    outputs: column -> dtype: what it makes.
    """

    name: str
    graph: bytes = field(repr=False)
    reads: FrozenMapping[Schema]
    outputs: Schema


def load_transform(name: str, graph: bytes) -> TracedTransform:
    """The transform whose graph these bytes are.

    name: for messages.

    Raises DefinitionError if they are none.
    """
    try:
        metadata = metadata_of(onnx.load_model_from_string(graph))
        signature = msgspec.json.decode(metadata[METADATA_KEY], type=_Signature)
    except KeyError:
        raise _not_a_transform(name, "a graph of something else") from None
    except Exception as error:  # protobuf's and msgspec's own
        raise _not_a_transform(name, one_line(error)) from error
    return TracedTransform(
        name,
        graph,
        FrozenMapping({namespace: _schema(columns) for namespace, columns in signature.reads.items()}),
        _schema(signature.outputs),
    )


def _not_a_transform(name: str, seen: str) -> DefinitionError:
    return DefinitionError(
        f"transform {name}: graph: {seen}; allowed: the graph of a traced transform; trace the transform again"
    )


def _schema(columns: Mapping[str, str]) -> Schema:
    return Schema({column: parse_dtype(text) for column, text in columns.items()})


def signature_json(reads: Mapping[str, Schema], outputs: Schema) -> str:
    """What `load_transform` reads, in one way only."""
    signature = _Signature(
        {
            namespace: {name: str(dtype) for name, dtype in sorted(columns.items())}
            for namespace, columns in reads.items()
        },
        {name: str(dtype) for name, dtype in outputs.items()},
    )
    return msgspec.json.encode(signature, order="sorted").decode()
