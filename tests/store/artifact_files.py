"""Files of small artifacts that are real in every part: for tests of what keeps, reads or refuses artifacts."""

from __future__ import annotations

from functools import cache

import msgspec
import numpy as np

import unisono as un
from unisono.models import Session, build_graph, choose_golden
from unisono.models.emit import Emitter, value
from unisono.models.importers.base import Block, ImportedModel
from unisono.models.names import PREDICTION
from unisono.spec.serialize import to_json

REQUEST = {"amount": un.Float64, "kind": un.String}


@cache
def files(predictor: str = "risk", weight: float = 2.0) -> dict[str, bytes]:
    """What `make_artifact` takes: a model that multiplies an amount; another weight is another version."""
    spec = un.Predictor(predictor, request=REQUEST, time="at", features=())
    graph = build_graph(spec, (), _times(weight), ())
    amounts = np.array([1.0, -0.5, 1e300, 0.0])
    request = {"amount": amounts, "amount.null": np.zeros(4, np.bool_)}
    golden = choose_golden(Session(graph.onnx), np.empty((4, 0)), request)
    return {
        "spec.json": to_json(spec),
        "graph.onnx": graph.onnx,
        "golden.json": golden.to_bytes(),
        "passport.json": msgspec.json.encode({"format": 1, "targets": {}}),
    }


def _times(weight: float) -> ImportedModel:
    emit = Emitter()
    emit.rename(
        emit("Mul", emit("Reshape", "matrix", emit.constant(np.array([-1]))), emit.constant(weight)), PREDICTION
    )
    model = emit.model([value("matrix", np.float64, "N", 1)], [value(PREDICTION, np.float64, "N")])
    return ImportedModel(
        task="regression",
        classes=(),
        blocks=(Block("matrix", ("amount",)),),
        graph=model.SerializeToString(),
        library="test",
        finite=False,
        answer=lambda rows: {PREDICTION: rows["amount"].to_numpy() * weight},
    )
