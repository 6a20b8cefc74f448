from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import unisono as un
from tests.models.samples import calendar, graph_of, one_column_model
from unisono.models import GoldenRows, Session, check_golden, choose_golden

GRAPH = graph_of(one_column_model("hour"), calendar)
SESSION = Session(GRAPH.onnx)


@pytest.fixture
def golden(rows: pl.DataFrame) -> GoldenRows:
    return choose_golden(SESSION, GRAPH.features_of(rows), GRAPH.encode(rows))


def test_golden_rows_come_back_with_all_their_bits(golden: GoldenRows) -> None:
    loaded = GoldenRows.from_bytes(golden.to_bytes())
    assert loaded.to_bytes() == golden.to_bytes()
    assert loaded.rows == golden.rows == 64
    check_golden(SESSION, loaded)


def test_strings_booleans_and_special_numbers_come_back(rows: pl.DataFrame) -> None:
    numbers = np.array([[np.nan, np.inf], [-0.0, 5e-324]])
    texts = np.array(["é", ""], object)
    golden = GoldenRows({"features": numbers, "request.carrier": texts}, {"prediction": np.array([True, False])})
    loaded = GoldenRows.from_bytes(golden.to_bytes())
    assert loaded.inputs["features"].tobytes() == numbers.tobytes()
    assert loaded.inputs["request.carrier"].tolist() == texts.tolist()
    assert loaded.outputs["prediction"].tolist() == [True, False]


@given(st.lists(st.one_of(st.floats(allow_nan=False), st.integers(-(2**53), 2**53).map(float)), min_size=1))
def test_every_number_comes_back_out_of_a_text_that_is_no_longer_than_it_has_to_be(numbers: list[float]) -> None:
    column = np.array(numbers)
    encoded = GoldenRows({"features": column}, {}).to_bytes()
    assert GoldenRows.from_bytes(encoded).inputs["features"].tobytes() == column.tobytes()
    (texts,) = (one["values"] for one in json.loads(encoded)["inputs"])
    assert not any(text.partition("p")[0].endswith((".", "0")) and "0x0p" not in text for text in texts)


def test_a_machine_that_answers_otherwise_is_found(golden: GoldenRows) -> None:
    says = golden.outputs["prediction"].copy()
    says[5] = np.nextafter(says[5], np.inf)
    planted = GoldenRows(golden.inputs, {"prediction": says})
    with pytest.raises(
        un.ModelError, match=r"golden rows: row 5, prediction: this machine says .*; allowed: equal bits"
    ):
        check_golden(SESSION, planted)


def test_golden_rows_of_another_graph_are_refused(golden: GoldenRows, rows: pl.DataFrame) -> None:
    other = graph_of(one_column_model("dist"))
    with pytest.raises(un.ModelError, match="golden rows: of another graph"):
        check_golden(Session(other.onnx), golden)


def damaged(data: bytes) -> list[bytes]:
    document = json.loads(data)
    column = document["inputs"][0]
    changes = [
        {**document, "format": 99},
        {**document, "more": 1},
        {**document, "inputs": [{**column, "kind": "pickle"}]},
        {**document, "inputs": [{**column, "shape": [7]}]},
        {**document, "inputs": [{**column, "values": [True] * len(column["values"])}]},
        {**document, "outputs": [{**document["outputs"][0], "values": ["zz"] * 64}]},
    ]
    return [b"", data[:-1], *(json.dumps(one).encode() for one in changes)]


def test_what_is_damaged_is_refused(golden: GoldenRows) -> None:
    for data in damaged(golden.to_bytes()):
        with pytest.raises(un.ModelError, match=r"golden rows: .*; register the model again"):
            GoldenRows.from_bytes(data)


def test_few_rows_are_all_golden(rows: pl.DataFrame) -> None:
    few = rows[:3]
    assert choose_golden(SESSION, GRAPH.features_of(few), GRAPH.encode(few)).rows == 3
