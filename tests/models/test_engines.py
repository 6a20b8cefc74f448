"""The engine "trees" has onnxruntime's bits for whatever trees there are; what it cannot run it refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import catboost
import lightgbm
import numpy as np
import onnx
import polars as pl
import pytest
import sklearn.ensemble as ensemble
import sklearn.pipeline
import sklearn.preprocessing
import sklearn.tree
import xgboost
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

import unisono as un
from tests.models.ensembles import COLUMNS, MEMBER, Ensemble, ensemble_node, model_of, random_matrix
from tests.models.samples import calendar, graph_of, one_column_model, view
from unisono.models import PredictorGraph, Session, import_model
from unisono.models.engines import EngineSession, open_session
from unisono.models.session import same_bits
from unisono.spec.errors import InputError, ModelError

pytestmark = pytest.mark.slow

CUTS = (0, 1, 2, 6, 7, 64, 65, 200)
ALL = [*view().feature_names, "dist", "seats"]
INPUTS = {**dict.fromkeys(ALL, un.Float64), "seats": un.Int64, "carrier": un.String, "hour": un.Int64}


def _assert_same(graph: PredictorGraph, features: NDArray[np.float64], request: Mapping[str, NDArray[Any]]) -> None:
    """Both engines give the same bits, in one batch and in small ones."""
    reference, trees = Session(graph.onnx), open_session(graph.onnx, "trees")
    assert isinstance(trees, EngineSession)
    for rows in {*CUTS, len(features)}:
        part = {name: one[:rows] for name, one in request.items()}
        wanted, found = reference.run(features[:rows], part), trees.run(features[:rows], part)
        assert list(wanted) == list(found)
        assert same_bits(list(wanted.values()), list(found.values())), f"{rows} rows"


# Random ensembles


@given(
    chance=st.randoms(use_true_random=False),
    depths=st.lists(st.sampled_from([1, 1, 2, 4, 6]), min_size=1, max_size=30),
    targets=st.integers(1, 3),
    modes=st.sampled_from([(0,), (0, 1), (0, 1, 2, 3, 4, 5), (0, MEMBER), range(7)]),
    mixed=st.booleans(),
)
def test_random_ensembles(chance: Random, depths: list[int], targets: int, modes: range, mixed: bool) -> None:
    trees = Ensemble(chance, targets, modes)
    for depth in depths:
        trees.add_tree(depth, target=None if mixed else chance.randrange(targets))
    whole = [feature for feature, mode, _, _ in trees.splits if mode == MEMBER]
    graph = graph_of(model_of([trees.node()], targets))
    _assert_same(graph, random_matrix(chance, 70, whole=whole), {})


@pytest.mark.parametrize("depths", [(13,), (13, 2, 13), (5,) * 2000], ids=["deep", "deep and not", "2000 trees"])
def test_large_ensembles(depths: tuple[int, ...]) -> None:
    chance = Random(1)
    trees = Ensemble(chance, 2, range(MEMBER))
    for depth in depths:
        trees.add_tree(depth, target=chance.randrange(2))
    _assert_same(graph_of(model_of([trees.node()], 2)), random_matrix(chance, 200), {})


def test_a_fraction_among_members_is_answered_as_onnxruntime_does() -> None:
    trees = Ensemble(Random(4), 1, (MEMBER,))
    trees.add_tree(4)
    matrix = random_matrix(Random(5), 100)
    assert np.any(np.isfinite(matrix) & (np.trunc(matrix) != matrix))
    _assert_same(graph_of(model_of([trees.node()], 1)), matrix, {})


# Fitted models


_LIGHTGBM: Mapping[str, Any] = {"verbose": -1, "n_jobs": 1, "n_estimators": 30, "min_child_samples": 5}
_XGBOOST: Mapping[str, Any] = {"n_jobs": 1, "n_estimators": 15}
_CATBOOST: Mapping[str, Any] = {"iterations": 15, "verbose": False, "thread_count": 1, "allow_writing_files": False}
_FOREST: Mapping[str, Any] = {"n_estimators": 20, "random_state": 1}

FITTED: Mapping[str, tuple[Any, Mapping[str, Any], str]] = {
    "LightGBM, binary": (lightgbm.LGBMClassifier, _LIGHTGBM, "binary"),
    "LightGBM, three classes": (lightgbm.LGBMClassifier, _LIGHTGBM, "classes"),
    "LightGBM, regression": (lightgbm.LGBMRegressor, _LIGHTGBM, "number"),
    "LightGBM, zero as missing": (lightgbm.LGBMClassifier, {**_LIGHTGBM, "zero_as_missing": True}, "binary"),
    "LightGBM, one leaf": (lightgbm.LGBMClassifier, {**_LIGHTGBM, "min_child_samples": 1000}, "binary"),
    "XGBoost, binary": (xgboost.XGBClassifier, _XGBOOST, "binary"),
    "XGBoost, three classes": (xgboost.XGBClassifier, _XGBOOST, "classes"),
    "XGBoost, regression": (xgboost.XGBRegressor, _XGBOOST, "number"),
    "CatBoost, binary": (catboost.CatBoostClassifier, _CATBOOST, "binary"),
    "CatBoost, three classes": (catboost.CatBoostClassifier, _CATBOOST, "classes"),
    "CatBoost, regression": (catboost.CatBoostRegressor, _CATBOOST, "number"),
    "decision tree": (sklearn.tree.DecisionTreeClassifier, {"random_state": 1}, "classes"),
    "random forest, classes": (ensemble.RandomForestClassifier, _FOREST, "classes"),
    "random forest, numbers": (ensemble.RandomForestRegressor, _FOREST, "number"),
    "extra trees": (ensemble.ExtraTreesClassifier, _FOREST, "binary"),
    "gradient boosting": (ensemble.GradientBoostingClassifier, _FOREST, "classes"),
    "histogram gradient boosting": (ensemble.HistGradientBoostingClassifier, {"max_iter": 20}, "binary"),
}


def _numbers(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(pl.col(ALL).cast(pl.Float64).fill_null(0.0))


def _labels(known: pl.DataFrame, kind: str) -> NDArray[Any]:
    numbers = known["by_carrier__late_mean_1h"].to_numpy() + np.abs(known["by_carrier__late_max_1h"].to_numpy())
    kinds: Mapping[str, NDArray[Any]] = {
        "number": numbers,
        "binary": numbers > 3,
        "classes": np.digitize(numbers, [0.0, 8.0]),
    }
    return kinds[kind]


@pytest.mark.parametrize(("kind", "parameters", "label"), FITTED.values(), ids=FITTED)
def test_fitted_models(rows: pl.DataFrame, kind: Any, parameters: Mapping[str, Any], label: str) -> None:
    known = _numbers(rows)
    model = kind(**parameters).fit(known.to_pandas(), _labels(known, label))
    graph = graph_of(import_model(model, inputs=INPUTS))
    _assert_same(graph, graph.features_of(rows), graph.encode(rows))


def test_a_categorical_column(rows: pl.DataFrame) -> None:
    known = _numbers(rows)
    model = lightgbm.LGBMClassifier(**_LIGHTGBM, min_data_per_group=1, cat_smooth=1.0)
    labels = known["seats"].to_numpy() % 3 == 0
    model.fit(known.to_pandas(), labels, categorical_feature=[ALL.index("seats")])
    graph = graph_of(import_model(model, inputs=INPUTS))
    assert "membership_values" in str(onnx.load_model_from_string(graph.onnx))
    _assert_same(graph, graph.features_of(rows), graph.encode(rows))


def test_a_pipeline(rows: pl.DataFrame) -> None:
    known = _numbers(rows)
    forest = ensemble.RandomForestRegressor(**_FOREST)
    model = sklearn.pipeline.make_pipeline(sklearn.preprocessing.StandardScaler(), forest)
    graph = graph_of(import_model(model.fit(known.to_pandas(), _labels(known, "number")), inputs=INPUTS))
    _assert_same(graph, graph.features_of(rows), graph.encode(rows))


def test_transforms_before_the_model(rows: pl.DataFrame) -> None:
    model = lightgbm.LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1)
    names = ["hour", "dist", "by_carrier__count_1h"]
    hours = rows["sched_dep"].to_physical().fill_null(0).to_numpy() // 3_600_000_000 % 24
    others = rows.select(pl.col(names[1:]).cast(pl.Float64).fill_null(0.0)).to_numpy()
    model.fit(np.column_stack([hours, others]), hours > 11, feature_name=names)
    graph = graph_of(import_model(model, inputs=INPUTS), calendar)
    _assert_same(graph, graph.features_of(rows), graph.encode(rows))


def test_a_single_row_may_leave_out_what_is_not_null(rows: pl.DataFrame) -> None:
    model = lightgbm.LGBMRegressor(n_estimators=5, verbose=-1, n_jobs=1)
    model.fit(rows.select(pl.col("dist").fill_null(0.0)).to_numpy(), np.arange(rows.height), feature_name=["dist"])
    graph = graph_of(import_model(model, inputs=INPUTS))
    wanted = Session(graph.onnx).run(np.zeros((1, len(graph.features))), {"dist": np.array([812.5])})
    says = open_session(graph.onnx, "trees").run(np.zeros((1, len(graph.features))), {"dist": np.array([812.5])})
    assert says["prediction"].tolist() == wanted["prediction"].tolist()


# What it says of itself, and what it refuses


def _graph(change: Mapping[str, Any] | None = None) -> PredictorGraph:
    trees = Ensemble(Random(3), 2, (0,))
    trees.add_tree(3)
    attributes = {**trees.attributes(), **(change or {})}
    return graph_of(model_of([ensemble_node(attributes)], 2))


def test_an_engine_says_its_name_and_its_class() -> None:
    session = open_session(_graph().onnx, "trees")
    assert isinstance(session, EngineSession)
    assert (session.engine, session.numeric_class) == ("trees", "exact")


def test_the_reference_is_onnxruntime() -> None:
    assert type(open_session(_graph().onnx)) is Session
    assert type(open_session(_graph().onnx, "onnxruntime")) is Session


def test_an_unknown_engine_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        InputError, match=r'engine "treez": there is none; allowed: onnxruntime, trees, openvino; .*trees'
    ):
        open_session(_graph().onnx, "treez")


def _stacked() -> list[NodeProto]:
    first, second = (Ensemble(Random(seed), len(COLUMNS), (0,)) for seed in (1, 2))
    for one in (first, second):
        one.add_tree(3)
    return [first.node(sums="between"), second.node(matrix="between")]


def _float32() -> list[NodeProto]:
    trees = Ensemble(Random(3), len(COLUMNS), (0,))
    trees.add_tree(3)
    attributes = trees.attributes()
    for name in ("nodes_splits", "leaf_weights"):
        numbers = numpy_helper.to_array(attributes[name]).astype(np.float32)
        attributes[name] = numpy_helper.from_array(numbers, "t")
    before, after = (
        helper.make_node("Cast", [source], [made], to=kind)
        for source, made, kind in (("matrix", "narrow", 1), ("sums", "prediction", 11))
    )
    return [before, ensemble_node(attributes, "narrow", "sums"), after]


REFUSED: Mapping[str, tuple[Callable[[], PredictorGraph], str]] = {
    "no trees": (lambda: graph_of(one_column_model("dist")), "it has no TreeEnsemble"),
    "trees on trees": (lambda: graph_of(model_of(_stacked(), len(COLUMNS))), "ask about what other trees say"),
    "float32": (lambda: graph_of(model_of(_float32(), len(COLUMNS))), "its leaves are float32, not float64"),
    "no sum": (lambda: _graph({"aggregate_function": 2}), "does not add its trees up"),
    "a last step": (lambda: _graph({"post_transform": 2}), "transforms the sums by itself"),
}


@pytest.mark.parametrize(("graph", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_it_cannot_run_is_refused_with_the_reason_and_the_next_step(
    graph: Callable[[], PredictorGraph], reason: str
) -> None:
    made = graph().onnx
    Session(made)
    with pytest.raises(
        ModelError, match=f'engine "trees": cannot run this graph: .*{reason}.*use engine "onnxruntime"'
    ):
        open_session(made, "trees")


def test_a_matrix_of_another_kind_is_refused_as_by_the_reference() -> None:
    graph = _graph()
    wrong: list[NDArray[Any]] = [np.zeros((2, width)) for width in (len(COLUMNS) - 1, len(COLUMNS) + 1)]
    wrong += [np.zeros((2, len(COLUMNS)), np.float32), np.zeros(2)]
    for features in wrong:
        for engine in ("onnxruntime", "trees"):
            with pytest.raises(InputError, match="check the arrays"):
                open_session(graph.onnx, engine).run(features, {})
