"""Judges the bytes of a graph before a session is built of them."""

from __future__ import annotations

from onnx import ModelProto

from unisono.spec.errors import ModelError
from unisono.spec.wording import one_line


def judge_graph(graph: bytes) -> None:
    """Raises ModelError, with the reason, if these bytes are no graph that is safe to run."""
    try:
        ModelProto.FromString(graph)
    except Exception as error:  # protobuf's own
        raise ModelError(f"graph: {one_line(error)}; allowed: an ONNX model; register the model again") from error
