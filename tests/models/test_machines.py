"""Numeric classes and passports: what is promised of other machines, and what golden rows then allow."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np
import onnx
import polars as pl
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from sklearn import linear_model, neural_network

import unisono as un
from tests.models.samples import available, graph_of, one_column_model
from unisono.models import (
    GoldenRows,
    PredictorGraph,
    Session,
    check_golden,
    choose_golden,
    import_model,
    make_passport,
    read_passport,
    verify,
)
from unisono.models.emit import Emitter, value
from unisono.models.importers.base import Block, ImportedModel
from unisono.models.names import PREDICTION
from unisono.models.session import Runner
from unisono.models.verifying.classes import EXACT, Tolerance
from unisono.models.verifying.operators import unsure_operators
from unisono.models.verifying.reordered import reordered

COLUMNS = ("dist", "seats", "by_carrier__late_mean_1h")


@pytest.fixture(scope="module")
def known(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.drop_nulls(COLUMNS)


def network(weights: NDArray[Any]) -> ImportedModel:
    """A layer of a network and its fitted model, which sums in another order."""
    emit = Emitter()
    narrow = emit("Cast", "matrix", to=TensorProto.FLOAT)
    product = emit("MatMul", emit("Div", narrow, emit.constant(np.float32(1000))), emit.constant(weights))
    emit.rename(emit("Squeeze", product, emit.constant(np.array([1]))), PREDICTION)
    graph = emit.model([value("matrix", np.float64, "N", 3)], [value(PREDICTION, np.float32, "N")])

    def answer(rows: pl.DataFrame) -> dict[str, NDArray[Any]]:
        numbers = rows.select(pl.col(COLUMNS).cast(pl.Float64).fill_null(float("nan"))).to_numpy().astype(np.float32)
        return {PREDICTION: ((numbers / np.float32(1000))[:, ::-1] * weights[::-1, 0]).sum(axis=1, dtype=np.float32)}

    made = one_column_model("dist")
    return replace(made, blocks=(Block("matrix", COLUMNS),), graph=graph.SerializeToString(), answer=answer)


WEIGHTS = np.array([[0.3], [0.7], [-0.2]], np.float32)


def class_of(model: Any, known: pl.DataFrame) -> str:
    imported = import_model(model, inputs=available(), columns=list(COLUMNS))
    return verify(graph_of(imported), imported, known).numeric_class


def fitted(model: Any, known: pl.DataFrame) -> Any:
    matrix = known.select(pl.col(COLUMNS).cast(pl.Float64)).to_numpy()
    labels = matrix[:, 0] > 900 if hasattr(model, "predict_proba") else matrix[:, 0] / 1000
    return model.fit(matrix / 1000, labels)


# Classes


def test_trees_are_exact_also_with_a_sigmoid_after_them(known: pl.DataFrame) -> None:
    for kind in (lightgbm.LGBMRegressor, lightgbm.LGBMClassifier):
        assert class_of(fitted(kind(n_estimators=5, verbose=-1, n_jobs=1), known), known) == "exact"


def test_a_logistic_regression_whose_sums_have_an_order_is_exact_though_not_its_models_bits(
    known: pl.DataFrame,
) -> None:
    imported = import_model(fitted(linear_model.LogisticRegression(), known), inputs=available(), columns=list(COLUMNS))
    found = verify(graph_of(imported), imported, known)
    assert (found.numeric_class, found.machines.operators, found.machines.bound) == ("exact", (), 0)
    assert not found.is_equal and found.max_ulp < 100


def test_matrix_products_are_bounded(known: pl.DataFrame) -> None:
    model = fitted(neural_network.MLPRegressor(hidden_layer_sizes=(4,), random_state=1, max_iter=500), known)
    assert class_of(model, known) == "bounded"


def test_a_network_of_float32_is_bounded_by_units_of_its_own(known: pl.DataFrame) -> None:
    imported = network(WEIGHTS)
    found = verify(graph_of(imported), imported, known)
    assert found.machines.operators == ("MatMul of FLOAT",)
    assert "sums backwards" in found.machines.settings and found.machines.max_gap > 0
    assert found.bound == 1e-5
    assert 1e-6 < found.machines.bound < 1e-4


SUMS: dict[str, tuple[Callable[[Emitter, NDArray[Any]], str], int]] = {
    "MatMul": (lambda emit, weights: emit("MatMul", "x", emit.constant(weights)), 2),
    "Gemm": (lambda emit, weights: emit("Gemm", "x", emit.constant(weights)), 2),
    "Gemm, transposed": (lambda emit, weights: emit("Gemm", "x", emit.constant(weights.T.copy()), transB=1), 2),
    "Conv": (lambda emit, weights: emit("Conv", "x", emit.constant(weights.T.reshape(3, 64, 1, 1).copy())), 4),
}


@pytest.mark.parametrize(("make", "sides"), SUMS.values(), ids=SUMS)
def test_sums_in_another_order_are_nearly_the_same(make: Callable[[Emitter, NDArray[Any]], str], sides: int) -> None:
    """Their difference is what is measured of other machines; by more, the graph would be another one."""
    random = np.random.default_rng(1)
    emit = Emitter()
    emit.rename(make(emit, random.normal(size=(64, 3)).astype(np.float32)), "y")
    ones = [1] * (sides - 2)
    model = emit.model([value("x", np.float32, "N", 64, *ones)], [value("y", np.float32, "N", 3, *ones)])
    turned = reordered(model)
    assert turned is not None
    rows = {"x": random.normal(size=(200, 64, *ones)).astype(np.float32)}
    ours, backwards = (Runner(one.SerializeToString())(rows)[0] for one in (model, turned))
    assert 0 < np.abs(ours - backwards).max() < 1e-4


def test_what_sums_nothing_has_one_order() -> None:
    emit = Emitter()
    emit.rename(emit("Exp", "x"), "y")
    assert reordered(emit.model([value("x", np.float32, "N")], [value("y", np.float32, "N")])) is None


OPERATORS: dict[str, tuple[Callable[[Emitter], str], tuple[str, ...]]] = {
    "sum": (lambda emit: emit("Add", "x", "x"), ()),
    "exp": (lambda emit: emit("Exp", "x"), ("Exp of FLOAT",)),
    "root of float32": (lambda emit: emit("Sqrt", emit("Abs", "x")), ("Sqrt of FLOAT",)),
    "root of float64": (lambda emit: _back(emit, emit("Sqrt", _wide(emit))), ()),
    "sum of numbers": (lambda emit: emit("ReduceSum", "x", keepdims=1), ("ReduceSum of FLOAT",)),
    "sum of whole numbers": (lambda emit: _back(emit, emit("ReduceSum", emit("Cast", "x", to=7), keepdims=1)), ()),
    "unsigned weights": (lambda emit: _back(emit, _whole_product(emit, np.array([[200]], np.uint8))), ()),
    "weights of 7 bits": (lambda emit: _back(emit, _whole_product(emit, np.array([[-63]], np.int8))), ()),
    "unsigned numbers that come at run time": (lambda emit: _back(emit, _both(emit, TensorProto.UINT8)), ()),
    "signed numbers that come at run time": (
        lambda emit: _back(emit, _both(emit, TensorProto.INT8)),
        ("MatMulInteger of UINT8",),
    ),
    "weights of 8 bits": (
        lambda emit: _back(emit, _whole_product(emit, np.array([[-64]], np.int8))),
        ("MatMulInteger of UINT8",),
    ),
}


def _wide(emit: Emitter) -> str:
    return emit("Cast", "x", to=TensorProto.DOUBLE)


def _back(emit: Emitter, value: str) -> str:
    return emit("Cast", value, to=TensorProto.FLOAT)


def _both(emit: Emitter, kind: int) -> str:
    numbers = emit("Cast", "x", to=TensorProto.UINT8)
    return emit("MatMulInteger", numbers, emit("Cast", "x", to=kind))


def _whole_product(emit: Emitter, weights: NDArray[Any]) -> str:
    return emit("MatMulInteger", emit("Cast", "x", to=TensorProto.UINT8), emit.constant(weights))


@pytest.mark.parametrize(("make", "unsure"), OPERATORS.values(), ids=OPERATORS)
def test_operators_are_sure_or_not(make: Callable[[Emitter], str], unsure: tuple[str, ...]) -> None:
    emit = Emitter()
    emit.rename(make(emit), "y")
    model = emit.model([value("x", np.float32, "N", 1)], [value("y", np.float32, "N", 1)])
    assert unsure_operators(model) == unsure


def test_operators_inside_a_branch_are_looked_at() -> None:
    branches: dict[str, Any] = {}
    for name in ("then_branch", "else_branch"):
        inner = Emitter(name)
        inner.rename(inner("Exp", "x"), "z")
        branches[name] = inner.model([], [value("z", np.float32, "N")]).graph
    emit = Emitter()
    emit.rename(emit("If", emit.constant(np.bool_(True)), **branches), "y")
    model = emit.model([value("x", np.float32, "N")], [value("y", np.float32, "N")])
    assert any(one.startswith("Exp") for one in unsure_operators(model))


# Golden rows


@pytest.fixture(scope="module")
def graph() -> PredictorGraph:
    return graph_of(network(WEIGHTS))


@pytest.fixture(scope="module")
def golden(graph: PredictorGraph, known: pl.DataFrame) -> GoldenRows:
    return choose_golden(Session(graph.onnx), graph.features_of(known), graph.encode(known))


def moved(golden: GoldenRows, by: float) -> GoldenRows:
    """As another machine might have written it down."""
    return GoldenRows(golden.inputs, {PREDICTION: golden.outputs[PREDICTION] * np.float32(1 + by)})


def test_golden_rows_of_a_bounded_graph_may_differ_by_its_bound(graph: PredictorGraph, golden: GoldenRows) -> None:
    session, bound = Session(graph.onnx), Tolerance(1e-5)
    found = check_golden(session, moved(golden, 2e-7), bound)
    assert (found.numeric_class, found.rows) == ("bounded", 64)
    assert found.differs > 0 and 0 < found.max_gap < 1e-5 and found.max_ulp <= 4
    with pytest.raises(un.ModelError, match=r"golden rows: row \d+, prediction: .*allowed: equal bits"):
        check_golden(session, moved(golden, 2e-7))
    with pytest.raises(un.ModelError, match=r"allowed: a difference of 1e-05, .*\(class bounded\)"):
        check_golden(session, moved(golden, 1e-4), bound)


def test_an_exact_graph_says_so(graph: PredictorGraph, golden: GoldenRows) -> None:
    found = check_golden(Session(graph.onnx), golden)
    assert (found.numeric_class, found.differs, found.max_ulp) == ("exact", 0, 0)


def test_golden_rows_that_are_none_prove_nothing(graph: PredictorGraph, golden: GoldenRows) -> None:
    none = GoldenRows(*({name: one[:0] for name, one in part.items()} for part in (golden.inputs, golden.outputs)))
    with pytest.raises(un.ModelError, match="golden rows: none; allowed: one or more"):
        check_golden(Session(graph.onnx), none)


def test_another_label_is_no_small_difference() -> None:
    class Answers:
        inputs = ("x",)
        outputs = ("label",)

        def answer(self, feeds: Any) -> Any:
            return {"label": np.array(["a"] * len(feeds["x"]), object)}

    golden = GoldenRows({"x": np.zeros(2)}, {"label": np.array(["a", "b"], object)})
    with pytest.raises(un.ModelError, match="row 1, label: this machine says a"):
        check_golden(Answers(), golden, Tolerance(1e9))


# Passports


def passport_bytes(known: pl.DataFrame, imported: ImportedModel) -> bytes:
    return make_passport(verify(graph_of(imported), imported, known), golden_rows=64).to_bytes()


def test_a_passport_keeps_the_machine_apart_from_the_fitted_model(known: pl.DataFrame) -> None:
    passport = read_passport(passport_bytes(known, network(WEIGHTS)))
    target = passport.target()
    assert passport.tolerance() == Tolerance(target.bound) != EXACT
    assert (target.numeric_class, target.golden_rows, target.operators) == ("bounded", 64, ["MatMul of FLOAT"])
    assert target.verification.max_gap is not None and target.verification.max_gap < target.verification.bound
    assert passport.target("aarch64-linux") == target
    exact = read_passport(passport_bytes(known, one_column_model("dist")))
    assert exact.tolerance() == EXACT
    assert exact.target().verification.is_equal
    assert exact.to_bytes() == passport_bytes(known, one_column_model("dist"))


def test_a_passport_that_is_none_is_refused(known: pl.DataFrame) -> None:
    document = json.loads(passport_bytes(known, one_column_model("dist")))
    name, target = next(iter(document["targets"].items()))
    changes = [
        {**document, "format": 1},
        {**document, "more": 1},
        {**document, "made_on": "elsewhere"},
        {**document, "targets": {name: {**target, "numeric_class": "bounded"}}},
        {**document, "targets": {name: {**target, "bound": -1.0}}},
        {**document, "targets": {name: {**target, "rows": "many"}}},
    ]
    for content in (b"", b"{}", b"\xff", *(json.dumps(one).encode() for one in changes)):
        with pytest.raises(un.ModelError, match=r"passport: .*; allowed: a passport of format 2; register"):
            read_passport(content)


def test_a_graph_that_depends_on_its_batch_is_refused(known: pl.DataFrame) -> None:
    from tests.models.samples import unsteady_model
    from unisono.models.verifying.machines import measure

    graph = graph_of(unsteady_model())
    model = onnx.load_model_from_string(graph.onnx)
    pairs = [one for one in model.metadata_props if one.key != "unisono.rows"]
    del model.metadata_props[:]
    model.metadata_props.extend(pairs)
    feeds = Session(graph.onnx).feeds(graph.features_of(known), graph.encode(known))
    with pytest.raises(un.ModelError, match="depends on the rows beside it; allowed: the same bits in every batch"):
        measure(model.SerializeToString(), feeds, ())
