"""Judges the bytes of a graph that anyone may have written, before a session is built of them.

wire        the bytes, before they are parsed: how much would be built, of what
structure   versions, operators, subgraphs, names, tensors against the data that is there
sizes       well-formed; how large its values would be
folding     what would be computed while it is loaded
"""

from __future__ import annotations

from onnx import ModelProto

from unisono.models.judging.limits import GraphLimits
from unisono.models.judging.refusal import refused
from unisono.models.judging.sizes import judge_sizes
from unisono.models.judging.structure import judge_structure
from unisono.models.judging.wire import judge_wire
from unisono.spec.wording import one_line

__all__ = ["GraphLimits", "judge_graph"]

_DEFAULT_LIMITS = GraphLimits()


def judge_graph(graph: bytes, limits: GraphLimits = _DEFAULT_LIMITS) -> None:
    """Whether a graph is one that unisono could have made, and is safe to run.

    graph: of a predictor or a transform; at most 1 GiB.

    Raises ModelError, with the reason, if not. Opens no session and reads no file.
    Cost: a few milliseconds, and about two seconds a GB of tensors.
    """
    judge_wire(graph, limits)
    try:
        model = ModelProto.FromString(graph)
    except Exception as error:  # protobuf's own
        raise refused(one_line(error), "an ONNX model") from error
    judge_structure(model, limits)
    judge_sizes(model, limits)
