"""Rows at the edges find what a sample does not show."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import polars as pl
import pytest
from onnx import TensorProto
from sklearn import linear_model, neural_network, tree

import unisono as un
from tests.models.plants import at, changed_constant, changed_trees
from tests.models.samples import available, calendar, graph_of, one_column_model, predictor, view
from unisono.models import ImportedModel, PredictorGraph, Session, build_graph, import_model, trace, verify
from unisono.models.columns import encode
from unisono.models.emit import Emitter, value
from unisono.models.importers.base import Block
from unisono.models.names import PREDICTION
from unisono.models.session import same_bits
from unisono.models.verifying.edges import edge_rows
from unisono.models.verifying.values import edges_of, stored
from unisono.spec.types import DType

NUMBERS = ["dist", "by_carrier__late_mean_1h", "seats", "weekend"]


@dataclass(frozen=True)
class Fitted:
    """A graph, its model, and rows that were not enough to tell a planted graph from it."""

    graph: PredictorGraph
    imported: ImportedModel
    sample: pl.DataFrame

    def hides(self, planted: PredictorGraph) -> bool:
        """Whether a planted graph says of the sample what the good one says."""
        good, bad = (
            list(Session(one.onnx).run(one.features_of(self.sample), one.encode(self.sample)).values())
            for one in (self.graph, planted)
        )
        return same_bits(good, bad)


def imported(model: Any, rows: pl.DataFrame, labels: Any, sample: pl.DataFrame) -> Fitted:
    model.fit(rows.select(NUMBERS).to_pandas().astype(float), labels)
    made = import_model(model, inputs=available())
    return Fitted(graph_of(made), made, sample)


@pytest.fixture(scope="module")
def known(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.drop_nulls(NUMBERS)


@pytest.fixture(scope="module")
def trees(known: pl.DataFrame) -> Fitted:
    model = lightgbm.LGBMRegressor(n_estimators=10, min_child_samples=5, verbose=-1, n_jobs=1)
    return imported(model, known, known["dist"].to_numpy() + known["seats"].to_numpy(), known)


def near_float32(values: Any) -> Any:
    return values.astype(np.float32).astype(np.float64)


PLANTS: dict[str, Callable[[PredictorGraph], PredictorGraph]] = {
    "a threshold one step up": lambda good: changed_trees(good, "nodes_splits", at(7, lambda x: np.nextafter(x, 1e9))),
    "a threshold one step down": lambda good: changed_trees(good, "nodes_splits", at(7, lambda x: np.nextafter(x, 0))),
    "a threshold a little up": lambda good: changed_trees(good, "nodes_splits", at(3, lambda x: x + 1e-7)),
    "a threshold a little down": lambda good: changed_trees(good, "nodes_splits", at(3, lambda x: x - 1e-7)),
    "thresholds rounded to float32": lambda good: changed_trees(good, "nodes_splits", near_float32),
    "where missing values go": lambda good: changed_trees(
        good, "nodes_missing_value_tracks_true", at(0, lambda goes: 1 - goes)
    ),
}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_a_tree_that_asks_otherwise_is_found_at_the_edges_only(
    trees: Fitted, plant: Callable[[PredictorGraph], PredictorGraph]
) -> None:
    planted = plant(trees.graph)
    assert trees.hides(planted)
    with pytest.raises(un.ModelError, match=r"edge row \d+ \(.*at a split\), prediction: .*its inputs: "):
        verify(planted, trees.imported, trees.sample)


def test_the_tree_itself_is_not_refused(trees: Fitted) -> None:
    found = verify(trees.graph, trees.imported, trees.sample)
    assert found.is_equal and found.numeric_class == "exact" and found.skipped == ()
    assert found.splits == found.split_count > 50


@pytest.mark.slow
def test_a_leaf_that_no_row_of_the_sample_reaches_is_found(trees: Fitted) -> None:
    few = Fitted(trees.graph, trees.imported, trees.sample[:3])
    planted = [changed_trees(trees.graph, "leaf_weights", at(leaf, lambda x: x + 0.01)) for leaf in range(12)]
    hidden = [one for one in planted if few.hides(one)]
    assert len(hidden) > 3
    for one in hidden:
        with pytest.raises(un.ModelError, match="edge row"):
            verify(one, few.imported, few.sample)


def test_classes_that_were_swapped_are_found_where_the_sample_has_neither(known: pl.DataFrame) -> None:
    labels = np.array(["a", "b", "c"], object)[np.digitize(known["dist"].to_numpy(), [700.0, 1100.0])]
    fitted = imported(tree.DecisionTreeClassifier(max_depth=4), known, labels, known.filter(pl.col("dist") < 600))
    swapped = changed_constant(fitted.graph, np.array(["a", "b", "c"], object), np.array(["a", "c", "b"], object))
    assert fitted.hides(swapped)
    with pytest.raises(un.ModelError, match=r"edge row .*: the graph says [bc], the model [bc]"):
        verify(swapped, fitted.imported, fitted.sample)
    assert verify(fitted.graph, fitted.imported, fitted.sample).is_equal


def test_a_category_that_is_mistaken_for_another_is_found(rows: pl.DataFrame) -> None:
    frame = rows.select("carrier", "dist").to_pandas().astype({"carrier": "category"})
    model = lightgbm.LGBMRegressor(n_estimators=5, min_child_samples=5, verbose=-1, n_jobs=1)
    made = import_model(model.fit(frame, frame["carrier"].cat.codes), inputs=available())
    graph = graph_of(made)
    without = rows.filter(pl.col("carrier") != "UA")

    def careless(rows: pl.DataFrame) -> Any:
        return made.answer(rows.with_columns(pl.col("carrier").str.strip_chars().str.to_uppercase()))

    with pytest.raises(un.ModelError, match="edge row"):
        verify(graph, ImportedModel(**{**fields(made), "answer": careless}), without)
    assert verify(graph, made, without).is_equal


def fields(model: ImportedModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in model.__dataclass_fields__}


# What a model does not accept, and what nobody promises


def test_rows_that_the_fitted_model_refuses_are_told_and_not_compared(known: pl.DataFrame) -> None:
    fitted = imported(linear_model.LinearRegression(), known, known["dist"].to_numpy(), known)
    found = verify(fitted.graph, fitted.imported, fitted.sample)
    kinds = {one.kind: one for one in found.skipped}
    assert {"null", "NaN", "infinite", "all null"} <= set(kinds)
    assert "NaN" in kinds["null"].reason
    assert "zero" not in kinds and found.edges > 100


def test_one_row_that_fails_does_not_hide_the_others_of_its_kind(known: pl.DataFrame) -> None:
    fitted = imported(lightgbm.LGBMRegressor(n_estimators=2, verbose=-1), known, known["dist"].to_numpy(), known)

    def picky(rows: pl.DataFrame) -> Any:
        if (rows["seats"] == -1).any():
            raise ValueError("seats cannot be less than none")
        return fitted.imported.answer(rows)

    found = verify(fitted.graph, ImportedModel(**{**fields(fitted.imported), "answer": picky}), known)
    assert {one.kind: (one.rows < 10, one.reason) for one in found.skipped} == {
        "plain": (True, "seats cannot be less than none")
    }


def test_a_network_is_bounded_and_its_rows_far_out_are_told_only(known: pl.DataFrame) -> None:
    model = neural_network.MLPRegressor(hidden_layer_sizes=(8,), random_state=1, max_iter=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = imported(model, known, known["dist"].to_numpy() / 1000, known)
    found = verify(fitted.graph, fitted.imported, fitted.sample)
    assert found.numeric_class == "bounded"
    assert found.machines.operators and found.beyond is not None and found.beyond.rows > 0
    assert found.max_gap <= 1e-9 < found.bound
    assert 0 < found.machines.bound <= 1e-6


# What edge rows are


def test_what_was_changed_is_derived_again(rows: pl.DataFrame) -> None:
    model = one_column_model("hour")
    traced = trace(calendar, {"request": predictor().columns})
    sample = rows.with_columns(hour=(pl.col("sched_dep").dt.hour()).cast(pl.Float64))
    graph = graph_of(model, calendar)
    found = edge_rows(graph, model, sample, [traced])
    assert found.frame["hour"].n_unique() > 5
    assert verify(graph, model, sample, transforms=[traced]).is_equal
    with pytest.raises(un.InputError, match=r"the graph derives hour; .*pass the transforms"):
        verify(graph, model, sample)


def test_edge_rows_are_the_same_every_time(trees: Fitted) -> None:
    one, other = (edge_rows(trees.graph, trees.imported, trees.sample, ()) for _ in range(2))
    assert one.frame.equals(other.frame, null_equal=True)
    assert repr(one.changes) == repr(other.changes)


def test_every_dtype_has_its_edges(rows: pl.DataFrame) -> None:
    columns = ("dist", "seats", "fare", "weekend", view().feature_names[0])
    model = one_column_model("dist")
    wide = ImportedModel(**{**fields(model), "blocks": (model.blocks[0].__class__("matrix", columns),)})
    graph = graph_of(model)
    found = edge_rows(graph, wide, rows, ()).frame
    dist = found["dist"]
    assert dist.null_count() > 0 and dist.is_nan().any() and dist.is_infinite().any()
    assert dist.is_in([1e300, 5e-324, 0.1]).sum() >= 3
    assert "-0.0" in map(str, dist.to_list())


# Images and texts


def brightest() -> ImportedModel:
    """A model that says the largest number of an image."""
    emit = Emitter()
    largest = emit(
        "ReduceMax", emit("Cast", "image", to=TensorProto.DOUBLE), emit.constant(np.array([1, 2])), keepdims=0
    )
    emit.rename(largest, PREDICTION)
    graph = emit.model([value("image", np.uint8, "N", 3, 4)], [value(PREDICTION, np.float64, "N")])
    return ImportedModel(
        task="regression",
        classes=(),
        blocks=(Block("image", ("image",), kind="tensor"),),
        graph=graph.SerializeToString(),
        library="test",
        finite=True,
        answer=lambda rows: {PREDICTION: rows["image"].to_numpy().reshape(rows.height, -1).max(axis=1).astype(float)},
    )


def test_images_have_edges_and_an_error_far_from_the_sample_is_found() -> None:
    spec = un.Predictor("bright", request={"image": un.Tensor("UInt8", (3, 4))}, time="at", features=())
    numbers = np.random.default_rng(1).integers(10, 50, (5, 3, 4), np.uint8)
    sample = pl.DataFrame({"image": pl.Series(numbers, dtype=pl.Array(pl.UInt8, (3, 4)))})
    model = brightest()
    graph = build_graph(spec, (), model, ())
    found = verify(graph, model, sample)
    assert found.is_equal and found.edges > 10 and found.beyond is None

    def seven_bits(rows: pl.DataFrame) -> Any:
        return {PREDICTION: np.minimum(model.answer(rows)[PREDICTION], 127.0)}

    with pytest.raises(un.ModelError, match=r"edge row \d+ \(large\), prediction: the graph says 255.0, the model 127"):
        verify(graph, ImportedModel(**{**fields(model), "answer": seven_bits}), sample)


@pytest.mark.parametrize(
    ("dtype", "column", "among"),
    [
        (un.String, pl.Series(["a", "a", "B"]), ["", "A", "日本語"]),
        (un.Int64, pl.Series([3, 8]), [0, 9, 2**63 - 1]),
        (un.Decimal(places=2), pl.Series([0.25, 8.0]), [0.0, 0.01, 0.26]),
        (un.Bool, pl.Series([True]), [True, False]),
        (un.Timestamp, pl.Series([86_400_000_001]), [0, -1, 86_399_999_999, 253_402_300_799_999_999]),
    ],
    ids=str,
)
def test_every_value_at_an_edge_is_one_that_the_dtype_has(dtype: DType, column: pl.Series, among: list[Any]) -> None:
    values = [edge.value for edge in edges_of(column, dtype)]
    assert None in values and all(one in values for one in among)
    made = stored("x", values, dtype)
    kept, nulls = encode(made, dtype, place="edges")
    assert len(kept) == len(values) and nulls.sum() == values.count(None)
