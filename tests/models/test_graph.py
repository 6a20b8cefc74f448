from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import ndonnx as xp
import numpy as np
import polars as pl
import pytest

import unisono as un
from tests.models.samples import (
    answers,
    calendar,
    graph_of,
    one_column_model,
    plain_rows,
    predictor,
    view,
    without_answer,
)
from unisono.models import Session, build_graph, category, derive, fill_null, load_graph, trace
from unisono.models.importers.base import Block
from unisono.models.row_encoder import RowEncoder
from unisono.models.session import bits

FIRST, SECOND = view().feature_names[1:3]


@un.transform
def mixed(request: Mapping[str, Any], features: Mapping[str, Any]) -> Mapping[str, Any]:
    angle = (request["sched_dep"].astype("int64") // 3_600_000_000 % 24) / 24 * (2 * xp.pi)
    late = features[FIRST]
    return {
        "sine": xp.sin(angle),
        "cosine": xp.cos(angle),
        "growth": xp.exp(late / 10),
        "size": xp.log(xp.abs(features[SECOND]) + 1),
        "share": late / request["dist"],
        "larger": xp.maximum(late, features[SECOND]),
        "price": request["fare"] / 3,
        "code": category(request["carrier"], ["AA", "UA"]),
        "places": fill_null(request["seats"], 100) // 7,
        "is_late": late > 5,
        "is_free": request["weekend"] & (request["fare"] < 300),
    }


TRACED = trace(
    mixed,
    {"request": predictor().columns, "features": dict.fromkeys(view().feature_names, un.Float64)},
)


@pytest.mark.parametrize("column", list(TRACED.outputs))
def test_a_derived_column_has_the_same_bits_in_the_training_frame_and_inside_the_graph(
    rows: pl.DataFrame, column: str
) -> None:
    frame = derive([TRACED], rows)[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
    inside = answers(graph_of(one_column_model(column), mixed), rows)["prediction"]
    assert (bits(inside) == bits(frame)).all()


@pytest.mark.parametrize("column", ["dist", "seats", "fare", "weekend", FIRST])
def test_a_model_reads_request_and_feature_columns_by_name(rows: pl.DataFrame, column: str) -> None:
    says = answers(graph_of(one_column_model(column)), rows)["prediction"]
    wanted = rows[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
    assert (bits(says) == bits(wanted)).all()


def test_it_says_what_it_reads_and_makes() -> None:
    graph = graph_of(one_column_model("hour"), calendar)
    assert graph.request == {"sched_dep": un.Timestamp}
    assert graph.derived == {"hour": un.Int64}
    assert graph.features == view().feature_names
    assert (graph.name, graph.task, graph.classes) == ("delay", "regression", ())
    assert load_graph(graph.onnx) == graph


_PRINT_GRAPH = """
import hashlib
from tests.models.samples import graph_of, one_column_model
from tests.models.test_graph import mixed
print(hashlib.sha256(graph_of(one_column_model("share"), mixed).onnx).hexdigest())
"""


@pytest.mark.slow
def test_the_same_parts_are_the_same_bytes_in_every_process() -> None:
    seen = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", _PRINT_GRAPH]
        seen.add(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    assert len(seen) == 1


# Faults


def test_columns_that_are_not_there_are_listed_with_the_nearest_names() -> None:
    model = without_answer(one_column_model("dist"), blocks=(Block("matrix", ("hours", "distt")),))
    with pytest.raises(un.ModelError) as caught:
        graph_of(model, calendar)
    first, second, allowed = str(caught.value).splitlines()
    assert first == 'model: reads "hours", which is not there; did you mean "hour"?'
    assert second == 'model: reads "distt", which is not there; did you mean "dist"?'
    assert "sched_dep" in allowed


@pytest.mark.parametrize("column", ["carrier", "sched_dep"])
def test_what_is_no_number_cannot_be_read_as_one(column: str) -> None:
    with pytest.raises(un.ModelError, match=f'reads "{column}", which is .*, as a number; .*unisono.category'):
        graph_of(one_column_model(column))


def test_a_number_cannot_be_read_as_text() -> None:
    model = without_answer(one_column_model("dist"), blocks=(Block("matrix", ("dist",), kind="text"),))
    with pytest.raises(un.ModelError, match='reads "dist" as text; allowed: a String column'):
        graph_of(model)


def test_a_derived_column_cannot_have_the_name_of_another() -> None:
    def twin(request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"dist": request["dist"] * 2}

    with pytest.raises(un.ModelError, match='"dist" is made by transform twin and a column of another kind'):
        graph_of(one_column_model("dist"), un.transform(twin))


def test_a_transform_of_features_that_are_not_there_is_refused() -> None:
    other = trace(
        un.Transform("other", lambda features: {"z": features["v__a"]}, ("features",)),
        {"features": {"v__a": un.Float64}},
    )
    with pytest.raises(un.ModelError, match=r"transform other: reads features.v__a"):
        build_graph(predictor(), [other], one_column_model("z"), view().feature_names)


@pytest.mark.parametrize("graph", [b"", b"no graph", TRACED.graph])
def test_bytes_that_are_no_predictors_graph_are_refused(graph: bytes) -> None:
    with pytest.raises(un.ModelError, match=r"graph: .*; allowed: a graph that build_graph made"):
        load_graph(graph)


# One request


ROW = {
    "carrier": "UA",
    "sched_dep": datetime(2013, 1, 1, 5, tzinfo=UTC),
    "dist": 700,
    "seats": 100,
    "fare": Decimal("199.99"),
    "weekend": True,
}


def everything(request: Mapping[str, Any]) -> Mapping[str, Any]:
    known = category(request["carrier"], ["UA"]) + request["seats"] + request["sched_dep"].astype("int64")
    return {"z": known + request["dist"] + request["fare"] + request["weekend"].astype("int64")}


ALL = graph_of(one_column_model("z"), un.transform(everything))


def test_a_row_is_encoded_as_in_a_frame() -> None:
    frame = pl.DataFrame({**ROW, "asked_at": ROW["sched_dep"]} | {"fare": 199.99, "dist": 700.0})
    session = Session(ALL.onnx)
    encoder = RowEncoder(ALL, session.interface, ALL.request, ALL.features)
    nothing = np.full((1, len(ALL.features)), np.nan)
    arrays = encoder.encode(plain_rows(frame, ALL.request), nothing)
    wanted = session.feeds(nothing, ALL.encode(frame))
    assert arrays.keys() == {name for name in wanted if not name.endswith(".null")}
    for name, array in arrays.items():
        assert array.dtype == wanted[name].dtype
        assert array.tolist() == wanted[name].tolist()


def test_what_is_null_is_said_to_be() -> None:
    encoder = RowEncoder(ALL, Session(ALL.onnx).interface, ALL.request, ALL.features)
    arrays = encoder.encode([[None] * len(ALL.request)], np.full((1, len(ALL.features)), np.nan))
    assert all(arrays[f"request.{name}.null"].tolist() == [True] for name in ROW)


def test_a_feature_that_rows_do_not_have_is_named() -> None:
    graph = graph_of(one_column_model(FIRST))
    with pytest.raises(un.ModelError, match="wants feature by_carrier__count_1h, which the predictor does not give"):
        RowEncoder(graph, Session(graph.onnx).interface, graph.request, [])


def test_a_frame_without_a_column_is_refused(rows: pl.DataFrame) -> None:
    with pytest.raises(un.InputError, match='requests, column "dist": there is no such column'):
        ALL.encode(rows.drop("dist"))
    with pytest.raises(un.InputError, match=f'features, column "{FIRST}"'):
        ALL.features_of(rows.drop(FIRST))
