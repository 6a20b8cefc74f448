"""The task "outputs", and regressions of several numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import unisono as un
from tests.models.samples import answers, graph_of, one_column_model, without_answer
from unisono.models import GoldenRows, Session, check_golden, choose_golden, load_graph, verify
from unisono.models.emit import Emitter, value
from unisono.models.importers.base import Block, ImportedModel, outputs_of
from unisono.models.names import PREDICTION

COLUMNS = ("dist", "seats")


def known(rows: pl.DataFrame) -> NDArray[np.float64]:
    return rows.select(pl.col(COLUMNS).cast(pl.Float64).fill_null(float("nan"))).to_numpy()


def said(rows: pl.DataFrame) -> Mapping[str, NDArray[Any]]:
    numbers = known(rows)
    return {
        "embedding": numbers.astype(np.float32),
        "is_long": numbers[:, 0] > 900,
        "label": np.where(numbers[:, 0] > 900, "long", "short").astype(object),
        "rank": (numbers > 100).astype(np.int64),
    }


def several_outputs() -> ImportedModel:
    """A model that names four outputs, of four types and two shapes."""
    emit = Emitter()
    long = emit("Greater", emit("Gather", "matrix", emit.constant(np.int64(0)), axis=1), emit.constant(900.0))
    texts = (emit.constant(np.array(text, object)) for text in ("long", "short"))
    emit.rename(emit("Cast", "matrix", to=1), "embedding")
    emit.rename(long, "is_long")
    emit.rename(emit("Where", long, *texts), "label")
    emit.rename(emit("Cast", emit("Greater", "matrix", emit.constant(100.0)), to=7), "rank")
    outputs = [
        value("embedding", np.float32, "N", 2),
        value("is_long", np.bool_, "N"),
        value("label", object, "N"),
        value("rank", np.int64, "N", 2),
    ]
    return without_answer(
        one_column_model("dist"),
        task="outputs",
        blocks=(Block("matrix", COLUMNS),),
        graph=emit.model([value("matrix", np.float64, "N", 2)], outputs).SerializeToString(),
        answer=said,
    )


def test_named_outputs_are_verified_each_in_its_own_type(rows: pl.DataFrame) -> None:
    graph = graph_of(several_outputs())
    assert verify(graph, several_outputs(), rows).is_equal
    assert load_graph(graph.onnx).task == "outputs"
    says = answers(graph, rows, cuts=[1, 7, 100])
    assert {name: (str(one.dtype), one.shape[1:]) for name, one in says.items()} == {
        "embedding": ("float32", (2,)),
        "is_long": ("bool", ()),
        "label": ("object", ()),
        "rank": ("int64", (2,)),
    }


def test_a_float32_differs_by_units_of_its_own_width(rows: pl.DataFrame) -> None:
    def answer(rows: pl.DataFrame) -> Mapping[str, NDArray[Any]]:
        embedding = said(rows)["embedding"]
        nearer = np.nextafter(np.nextafter(embedding, np.float32(0)), np.float32(0))
        return {**said(rows), "embedding": np.where(np.abs(embedding) < 1e30, nearer, embedding)}

    found = verify(graph_of(several_outputs()), without_answer(several_outputs(), answer=answer), rows)
    assert (found.max_ulp, found.flips, found.is_equal) == (2, 0, False)


def test_a_label_that_differs_is_shown_with_its_output(rows: pl.DataFrame) -> None:
    def answer(rows: pl.DataFrame) -> Mapping[str, NDArray[Any]]:
        rank = said(rows)["rank"]
        rank[3, 1] += 1
        return {**said(rows), "rank": rank}

    with pytest.raises(
        un.ModelError, match=r"in 1 of 400 labels; row 3, rank: the graph says \[1, 0\], the model \[1, 1\]"
    ):
        verify(graph_of(several_outputs()), without_answer(several_outputs(), answer=answer), rows)


def test_outputs_of_another_shape_are_refused(rows: pl.DataFrame) -> None:
    model = without_answer(several_outputs(), answer=lambda rows: {**said(rows), "is_long": said(rows)["rank"] > 0})
    with pytest.raises(un.ModelError, match="allowed: the same outputs of the same shapes"):
        verify(graph_of(several_outputs()), model, rows)


def test_golden_rows_keep_the_bits_of_every_type(rows: pl.DataFrame) -> None:
    graph = graph_of(several_outputs())
    golden = choose_golden(Session(graph.onnx), graph.features_of(rows), graph.encode(rows))
    again = GoldenRows.from_bytes(golden.to_bytes())
    assert {name: one.dtype for name, one in again.outputs.items()} == {
        name: one.dtype for name, one in golden.outputs.items()
    }
    check_golden(Session(graph.onnx), again)


def test_a_regression_can_give_several_numbers(rows: pl.DataFrame) -> None:
    emit = Emitter()
    emit.rename(emit("Mul", "matrix", emit.constant(2.0)), PREDICTION)
    graph = emit.model([value("matrix", np.float64, "N", 2)], outputs_of("regression", np.empty(0), numbers=2))
    model = without_answer(
        one_column_model("dist"),
        blocks=(Block("matrix", COLUMNS),),
        graph=graph.SerializeToString(),
        answer=lambda rows: {PREDICTION: known(rows) * 2},
    )
    assert verify(graph_of(model), model, rows).is_equal
    assert answers(graph_of(model), rows)[PREDICTION].shape == (rows.height, 2)
