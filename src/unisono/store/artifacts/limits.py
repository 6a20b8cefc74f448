"""How large an artifact, and each thing in it, may be."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What is read of an artifact; more is refused before it is looked at.

    artifact_bytes:  of the whole file; at most 4 GiB - 1, since more needs another kind of zip.
    files:           how many it may hold, without manifest and signatures.
    spec_bytes:      of spec.json, which has the graphs of transforms in it.
    graph_bytes:     of graph.onnx; protobuf itself ends at 2 GiB.
    golden_bytes:    of golden.json; rows of images are large.
    note_bytes:      of each of passport.json, metrics.json and lineage.json; also of the manifest and the signatures.
    tokenizer_bytes: of each file under tokenizer/.
    json_depth:      how deep arrays and objects of a JSON file may be in each other.
    json_parts:      how many there may be in one: an empty one is two bytes in the file, and seventy when it is read.
    """

    artifact_bytes: int = 2048 * MIB
    files: int = 64
    spec_bytes: int = 64 * MIB
    graph_bytes: int = 1024 * MIB
    golden_bytes: int = 256 * MIB
    note_bytes: int = 4 * MIB
    tokenizer_bytes: int = 64 * MIB
    json_depth: int = 32
    json_parts: int = 1 << 20
