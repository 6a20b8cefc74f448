"""Files of small artifacts that are real in every part: for tests of what keeps, reads or refuses artifacts."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl

import unisono as un
from unisono.models import Session, build_graph, choose_golden, make_passport, verify
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
        "passport.json": _passport(),
    }


@cache
def _passport() -> bytes:
    """Of one of these models; the others differ in a number."""
    spec = un.Predictor("risk", request=REQUEST, time="at", features=())
    model = _times(2.0)
    sample = pl.DataFrame({"amount": [1.0, -0.5, None, 0.0]})
    return make_passport(verify(build_graph(spec, (), model, ()), model, sample), golden_rows=4).to_bytes()


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
