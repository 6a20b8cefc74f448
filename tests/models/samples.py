"""Small models, predictors and frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import unisono as un
from unisono.models import ImportedModel, PredictorGraph, Session, build_graph, trace
from unisono.models.emit import Emitter, value
from unisono.models.front_graph import with_front
from unisono.models.importers.base import Block
from unisono.models.names import PREDICTION
from unisono.models.row_encoder import RowEncoder
from unisono.spec.types import DType

ROWS = 400
REQUEST: Mapping[str, DType] = {
    "carrier": un.String,
    "sched_dep": un.Timestamp,
    "dist": un.Float64,
    "seats": un.Int64,
    "fare": un.Decimal(places=2),
    "weekend": un.Bool,
}


@un.transform
def calendar(request: Mapping[str, Any]) -> Mapping[str, Any]:
    hours = request["sched_dep"].astype("int64") // 3_600_000_000
    return {"hour": hours % 24}


def view() -> un.FeatureView:
    """Six features."""
    arrivals = un.Source("arrivals", {"carrier": un.String, "late": un.Float64}, event_time="at")
    aggregations = [un.count(), un.mean("late"), un.max("late")]
    return un.FeatureView("by_carrier", arrivals, key="carrier", aggregations=aggregations, windows=["1h", "6h"])


def predictor(*derive: un.Transform) -> un.Predictor:
    """Predicts something about a flight."""
    return un.Predictor("delay", request=REQUEST, time="asked_at", features=view(), derive=derive)


def frame(rows: int = ROWS, *, seed: int = 0) -> pl.DataFrame:
    """Requests with features; every column but the time has nulls."""
    random = np.random.default_rng(seed)
    times = random.integers(1_356_998_400_000_000, 1_388_534_400_000_000, rows)
    plain = pl.DataFrame(
        {
            "carrier": random.choice(["UA", "AA", "DL", "B6"], rows),
            "sched_dep": pl.Series(times).cast(pl.Datetime("us", "UTC")),
            "dist": random.normal(size=rows) * 300 + 900,
            "seats": random.integers(20, 300, rows),
            "fare": pl.Series(random.integers(1000, 90000, rows) / 100),
            "weekend": random.random(rows) < 0.3,
            **{name: random.normal(size=rows) * 10 for name in view().feature_names},
        }
    )
    nulls = [
        pl.when(pl.Series(random.random(rows) < 0.1)).then(None).otherwise(pl.col(name)).alias(name)
        for name in plain.columns
    ]
    return plain.with_columns(nulls).with_columns(asked_at=plain["sched_dep"])


def available(*derived: str) -> dict[str, DType]:
    """Everything that a model can read."""
    features = dict.fromkeys(view().feature_names, un.Float64)
    return {**predictor().columns, **features, **dict.fromkeys(derived, un.Float64)}


def one_column_model(column: str) -> ImportedModel:
    """A model that says what one column holds."""
    emit = Emitter()
    emit.rename(emit("Reshape", "matrix", emit.constant(np.array([-1]))), PREDICTION)
    model = emit.model([value("matrix", np.float64, "N", 1)], [value(PREDICTION, np.float64, "N")])
    return ImportedModel(
        task="regression",
        classes=(),
        blocks=(Block("matrix", (column,)),),
        graph=model.SerializeToString(),
        library="test",
        finite=False,
        answer=lambda rows: {PREDICTION: rows[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()},
    )


def graph_of(imported: ImportedModel, *derive: un.Transform) -> PredictorGraph:
    """A predictor's graph with that model."""
    columns = {"request": predictor().columns, "features": dict.fromkeys(view().feature_names, un.Float64)}
    traced = [trace(one, {name: columns[name] for name in one.inputs}) for one in derive]
    return build_graph(predictor(*derive), traced, imported, view().feature_names)


def answers(graph: PredictorGraph, rows: pl.DataFrame, cuts: Sequence[int] = ()) -> Mapping[str, NDArray[Any]]:
    """What a graph says of a frame, in one piece or cut before the given rows."""
    session = Session(graph.onnx)
    features, request = graph.features_of(rows), graph.encode(rows)
    edges = [0, *cuts, rows.height]
    parts = [
        session.run(features[start:end], {name: one[start:end] for name, one in request.items()})
        for start, end in pairwise(edges)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def plain_rows(rows: pl.DataFrame, columns: Mapping[str, DType]) -> list[tuple[Any, ...]]:
    """Rows of a frame as a server decodes requests; null where the frame lacks a column."""
    found = [
        _plain(rows.get_column(name), dtype) if name in rows else [None] * rows.height
        for name, dtype in columns.items()
    ]
    return list(zip(*found, strict=True))


def _plain(column: pl.Series, dtype: DType) -> list[Any]:
    if isinstance(dtype, un.Tensor):
        return list(column.to_numpy())
    if isinstance(dtype, un.Decimal):
        return [None if one is None else round(Fraction(one) * 10**dtype.places) for one in column]
    return (column.to_physical() if dtype.name == "Timestamp" else column).to_list()


def row_answers(
    graph: PredictorGraph, rows: pl.DataFrame, columns: Mapping[str, DType], *, session: Session | None = None
) -> dict[str, NDArray[Any]]:
    """What a server answers to rows: through a front, unless there is another session."""
    session = session or Session(with_front(graph.onnx))
    encoder = RowEncoder(graph, session.interface, columns, graph.features)
    feeds = encoder.encode(plain_rows(rows, columns), graph.features_of(rows))
    return session.answer_directly(feeds, rows.height)


def without_answer(imported: ImportedModel, **changes: Any) -> ImportedModel:
    """The model with some of what is known of it changed."""
    return replace(imported, **changes)


def unsteady_model() -> ImportedModel:
    """A model of an operator whose bits depend on the batch, as a careless importer might make it."""
    emit = Emitter()
    emit.rename(emit("Sin", emit("Reshape", "matrix", emit.constant(np.array([-1])))), PREDICTION)
    model = emit.model([value("matrix", np.float64, "N", 1)], [value(PREDICTION, np.float64, "N")])
    return without_answer(one_column_model("dist"), graph=model.SerializeToString())
