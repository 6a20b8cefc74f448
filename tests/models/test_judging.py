"""Graphs that anyone may have written: those of ours are accepted, the others are refused with their reason."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from onnx import ModelProto, helper, numpy_helper

from tests.models.samples import calendar, graph_of, one_column_model, unsteady_model
from tests.store.hostile_graphs import BOOL, DOUBLE, INT64, hostile_graphs, model, node, number, value
from unisono.models import PredictorGraph
from unisono.models.judging import GraphLimits, judge_graph
from unisono.spec.errors import ModelError

HOSTILE = hostile_graphs()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_graph_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(ModelError, match=HOSTILE[name].reason):
        judge_graph(HOSTILE[name].data)


@pytest.mark.parametrize(
    "make", [lambda: graph_of(one_column_model("seats"), calendar), lambda: graph_of(unsteady_model())]
)
def test_a_graph_of_ours_is_accepted(make: Callable[[], PredictorGraph]) -> None:
    judge_graph(make().onnx)


def test_a_graph_that_is_cut_anywhere_is_refused() -> None:
    """Up to its end; what follows are versions and notes, which artifacts guard by a hash."""
    whole = graph_of(one_column_model("seats")).onnx
    parsed = ModelProto.FromString(whole)
    parsed.ClearField("opset_import")
    parsed.ClearField("metadata_props")
    end = parsed.ByteSize()
    assert whole.startswith(parsed.SerializeToString())
    for length in range(end + 1):
        with pytest.raises(ModelError):
            judge_graph(whole[:length])


def _sums(**sizes: int) -> ModelProto:
    """Adds constants of some sizes, made while the graph is loaded, to an input of one number a row."""
    nodes = [node("ConstantOfShape", name, f"made_{name}") for name in sizes]
    sums = [node("ReduceSum", f"made_{name}", f"sum_{name}", keepdims=0) for name in sizes]
    added = helper.make_node("Sum", ["x", *[f"sum_{name}" for name in sizes]], ["y"])
    tensors = [number(name, size) for name, size in sizes.items()]
    return model([*nodes, *sums, added], tensors, given=[value("x", 1, "N")], out=[value("y", 1, "N")])


def test_constants_may_be_computed_up_to_a_limit_for_all_of_them_together() -> None:
    graph = _sums(a=1000, b=1000).SerializeToString()
    judge_graph(graph, GraphLimits(folded_elements=2002, folding_reads=2000))
    for limits in (GraphLimits(folded_elements=2001), GraphLimits(folding_reads=1999)):
        with pytest.raises(ModelError, match="which ReduceSum makes of constants, after 2002 elements of 2000"):
            judge_graph(graph, limits)


def test_a_choice_and_a_loop_that_ends_are_accepted() -> None:
    def branch(name: str, op_type: str) -> object:
        return helper.make_graph([node(op_type, "x", name)], "branch", [], [value(name, DOUBLE, "N")])

    body = helper.make_graph(
        [node("Identity", "go", "on"), node("Neg", "held", "kept")],
        "body",
        [value("i", INT64), value("go", BOOL), value("held", DOUBLE, "N")],
        [value("on", BOOL), value("kept", DOUBLE, "N")],
    )
    chosen = node("If", "yes", "z", then_branch=branch("a", "Neg"), else_branch=branch("b", "Abs"))
    loop = node("Loop", "often yes z", "y", body=body)
    tensors = [number("often", 100), numpy_helper.from_array(np.array(True), "yes")]
    graph = model([chosen, loop], tensors, given=[value("x", DOUBLE, "N")], out=[value("y", DOUBLE, "N")])
    judge_graph(graph.SerializeToString())
    with pytest.raises(ModelError, match="a Loop that may go round 100 times; allowed: a constant of at most 99 here"):
        judge_graph(graph.SerializeToString(), GraphLimits(loop_trips=99))


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (GraphLimits(graph_bytes=100), "bytes; allowed: at most 100"),
        (GraphLimits(loose_bytes=100), "more than 100 bytes beside the data of tensors"),
        (GraphLimits(parts=10), "more than 10 parts"),
        (GraphLimits(depth=3), "messages too deep in each other; allowed: 3 levels"),
        (GraphLimits(text_bytes=8), "a text of [0-9]+ bytes; allowed: at most 8"),
        (GraphLimits(nodes=2), "operators or more; allowed: at most 2"),
        (GraphLimits(value_elements=0), "allowed: at most 0 elements"),
    ],
)
def test_a_limit_is_kept_and_named(limits: GraphLimits, reason: str) -> None:
    graph = graph_of(one_column_model("seats"), calendar).onnx
    with pytest.raises(ModelError, match=reason):
        judge_graph(graph, limits)


@pytest.mark.slow
def test_graphs_of_fitted_models_are_accepted(rows: pl.DataFrame) -> None:
    from lightgbm import LGBMClassifier
    from sklearn import ensemble, linear_model, neural_network, svm

    from tests.models.samples import available
    from unisono.models import import_model

    known = rows.select("dist", "by_carrier__late_mean_1h").fill_null(0.0)
    matrix, labels = known.to_numpy(), rows["dist"].fill_null(0.0).to_numpy() > 900
    for fitted in (
        *(LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1), ensemble.RandomForestClassifier(5)),
        *(linear_model.LogisticRegression(max_iter=1000), svm.SVR(), neural_network.MLPClassifier(max_iter=2000)),
    ):
        imported = import_model(fitted.fit(matrix, labels), inputs=available(), columns=known.columns)
        judge_graph(graph_of(imported).onnx)
