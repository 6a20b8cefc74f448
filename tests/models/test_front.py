"""A graph with a front answers with the bits of the registered graph, whatever columns it reads, in every batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lightgbm import LGBMClassifier
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import unisono as un
from tests.models.samples import (
    REQUEST,
    frame,
    graph_of,
    one_column_model,
    plain_rows,
    row_answers,
    view,
    without_answer,
)
from unisono.models import ImportedModel, PredictorGraph, Session, import_model
from unisono.models.emit import Emitter, value
from unisono.models.engines import open_session
from unisono.models.front import MATRIX, front_of
from unisono.models.front_graph import with_front
from unisono.models.importers.base import Block
from unisono.models.session import Runner, same_bits
from unisono.spec.errors import ModelError

FEATURES = view().feature_names
NUMBERS = ("dist", "seats", "fare", "weekend")
SPECIAL = [None, float("nan"), float("inf"), -0.0, 5e-324, 1e308]
WHOLE = [None, 2**53 + 1, -(2**63) + 1, 2**63 - 1, 0]


@un.transform
def derived(request: Mapping[str, Any], features: Mapping[str, Any]) -> Mapping[str, Any]:
    """Columns that are made of what a model may also read as it is."""
    return {"double": request["dist"] * 2.0, "more": features[FEATURES[0]] + request["fare"]}


def edge_rows(rows: int = 90) -> pl.DataFrame:
    """Rows with special numbers in every column."""
    random = np.random.default_rng(3)
    floats = {name: random.choice(np.array(SPECIAL, object), rows) for name in ("dist", *FEATURES)}
    put = [pl.Series(name, list(values), pl.Float64, strict=False) for name, values in floats.items()]
    seats = pl.Series("seats", list(random.choice(np.array(WHOLE, object), rows)), pl.Int64)
    return pl.concat([frame(rows, seed=5), frame(rows, seed=6).with_columns(*put, seats)])


ROWS = edge_rows()


def mirror(*blocks: Sequence[str]) -> ImportedModel:
    """A model that says what its columns hold, with another sign: an output a block."""
    emit = Emitter()
    for number in range(len(blocks)):
        emit.rename(emit("Neg", f"b{number}"), f"out{number}")
    inputs = [value(f"b{number}", np.float64, "N", len(columns)) for number, columns in enumerate(blocks)]
    outputs = [value(f"out{number}", np.float64, "N", len(columns)) for number, columns in enumerate(blocks)]
    return without_answer(
        one_column_model("dist"),
        task="outputs",
        blocks=tuple(Block(f"b{number}", tuple(columns)) for number, columns in enumerate(blocks)),
        graph=emit.model(inputs, outputs).SerializeToString(),
    )


def assert_same(graph: PredictorGraph, rows: pl.DataFrame, engines: Sequence[str] = ()) -> bytes:
    """The graph with a front, which answers the same: from frames and from rows, in batches and alone."""
    fronted = with_front(graph.onnx)
    features, request = graph.features_of(rows), graph.encode(rows)
    wanted = Session(graph.onnx).run(features, request)
    for session in (Session(fronted), *(open_session(fronted, engine) for engine in engines)):
        assert set(session.inputs) == set(Session(graph.onnx).inputs)
        found = session.run(features, request)
        assert list(found) == list(wanted)
        assert same_bits([*found.values()], [*wanted.values()])
        assert same_bits([*row_answers(graph, rows, REQUEST, session=session).values()], [*wanted.values()])
        for place in range(0, rows.height, 7):
            alone = row_answers(graph, rows[place], REQUEST, session=session)
            assert same_bits([*alone.values()], [one[place : place + 1] for one in wanted.values()])
    return fronted


@pytest.mark.slow
@given(st.data())
def test_columns_of_every_kind_in_every_order(data: st.DataObject) -> None:
    known = (*NUMBERS, *FEATURES, "double", "more")
    blocks = data.draw(st.lists(st.lists(st.sampled_from(known), min_size=1, max_size=8), min_size=1, max_size=3))
    assert_same(graph_of(mirror(*blocks), derived), ROWS)


def inputs_of(graph: bytes) -> list[str]:
    return sorted(Runner(graph).inputs)


def operators_of(graph: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_model_from_string(graph).graph.node if node.op_type != "Constant"]


@pytest.mark.parametrize(
    ("columns", "others", "operators"),
    [
        (NUMBERS, [], ["Neg"]),
        (["seats", *FEATURES, "dist"], [], ["Neg"]),
        (FEATURES[::-1], [], ["Neg"]),
        (["dist", "fare", "double"], ["request.dist", "request.dist.null"], ["Concat", "Neg"]),
    ],
    ids=["request", "both", "features in another order", "one that is read elsewhere too"],
)
def test_what_goes_unchanged_is_one_matrix(columns: Sequence[str], others: list[str], operators: list[str]) -> None:
    transforms = [derived] if "double" in columns else []
    fronted = assert_same(graph_of(mirror(columns), *transforms), ROWS)
    assert inputs_of(fronted) == [MATRIX, *others]
    assert set(operators) <= set(operators_of(fronted))
    assert "Unsqueeze" not in operators_of(fronted) or others


def test_a_graph_of_features_alone_stays_as_it_is() -> None:
    graph = graph_of(mirror(FEATURES))
    assert with_front(graph.onnx) == graph.onnx


def test_a_front_is_put_once() -> None:
    once = with_front(graph_of(mirror(NUMBERS)).onnx)
    assert with_front(once) == once


def pipeline() -> Any:
    text = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer((StandardScaler(), ["dist", "seats"]), (text, ["carrier"]), remainder="drop")
    return make_pipeline(columns, LinearRegression())


def trees() -> Any:
    return LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1)


MODELS: Mapping[str, tuple[Callable[[], Any], list[str], tuple[str, ...]]] = {
    "LightGBM": (trees, [*NUMBERS, *FEATURES], ("trees",)),
    "LightGBM with a derived column": (
        lambda: LGBMClassifier(n_estimators=20, verbose=-1),
        ["double", *NUMBERS],
        ("trees",),
    ),
    "linear": (LinearRegression, [*FEATURES, "dist"], ()),
    "pipeline with text": (pipeline, ["dist", "seats", "carrier"], ()),
}


@pytest.mark.parametrize("name", MODELS)
def test_fitted_models(name: str) -> None:
    make, columns, engines = MODELS[name]
    rows = frame(300, seed=1).drop_nulls().with_columns(double=pl.col("dist") * 2.0)
    given_rows = rows.select(pl.col(one) if one == "carrier" else pl.col(one).cast(pl.Float64) for one in columns)
    labels = rows["dist"].to_numpy() > 900
    model = make().fit(given_rows.to_pandas(), labels)
    inputs = {**REQUEST, **dict.fromkeys([*FEATURES, "double"], un.Float64)}
    transforms = [derived] if "double" in columns else []
    fronted = assert_same(graph_of(import_model(model, inputs=inputs), *transforms), frame(90, seed=2), engines)
    assert MATRIX in inputs_of(fronted)


def test_a_front_that_says_something_else_is_refused() -> None:
    with pytest.raises(ModelError, match=r"graph: its front: .*; allowed: one that unisono made; prepare"):
        front_of({"unisono.front": "{}"})


def test_a_null_in_a_row_is_nan_and_no_other_value_moves() -> None:
    graph = graph_of(mirror(NUMBERS))
    row = plain_rows(frame(1), REQUEST)[0]
    assert len(row) == len(REQUEST)
    session = Session(with_front(graph.onnx))
    features = {name: [0.0] for name in FEATURES}
    says = row_answers(graph, pl.DataFrame({"seats": [7], **features}), REQUEST, session=session)
    assert np.isnan(says["out0"][0]).tolist() == [True, False, True, True]
    assert says["out0"][0][1] == -7.0
