"""ONNX files."""

from __future__ import annotations

from pathlib import Path

from unisono.models.judging.limits import GraphLimits
from unisono.spec.errors import ModelError


def read(path: Path) -> bytes:
    """The bytes of an ONNX file, which its importer judges. Raises ModelError for more than it would take."""
    size, most = path.stat().st_size, GraphLimits().graph_bytes
    if size > most:
        raise ModelError(f"{path}: {size} bytes; allowed: at most {most}; use a smaller model")
    return path.read_bytes()
