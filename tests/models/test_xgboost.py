from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
import xgboost
from numpy.typing import NDArray

import unisono as un
from tests.models.samples import answers, graph_of, view
from unisono.models import PredictorGraph, import_model, verify
from unisono.models.session import Runner, bits

pytestmark = pytest.mark.slow

COLUMNS = [*view().feature_names, "dist", "seats"]
INPUTS = {**dict.fromkeys(COLUMNS, un.Float64), "seats": un.Int64, "carrier": un.String}
QUIET: Mapping[str, Any] = {"n_jobs": 1, "random_state": 7, "n_estimators": 25, "max_depth": 4}
FLOAT32_UNIT = 1 << 29  # a unit in the last place of a float32, in those of a float64


def matrix(rows: pl.DataFrame) -> NDArray[np.float64]:
    return np.ascontiguousarray(rows.select(pl.col(COLUMNS).cast(pl.Float64).fill_null(np.nan)).to_numpy())


def scores(rows: pl.DataFrame) -> NDArray[np.float64]:
    """Something to learn."""
    known = np.nan_to_num(matrix(rows))
    return known[:, 1] + np.abs(known[:, 2]) - known[:, 6] / 100


def double(numbers: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(numbers, np.float64)


def fitted(kind: type[Any], rows: pl.DataFrame, labels: NDArray[Any], **parameters: Any) -> Any:
    return kind(**{**QUIET, **parameters}).fit(rows.select(COLUMNS), labels)


def imported_graph(model: Any) -> PredictorGraph:
    return graph_of(import_model(model, inputs=INPUTS))


# Every bit where nothing but sums is made


REGRESSIONS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "absolute error": {"objective": "reg:absoluteerror"},
    "several quantiles": {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.5, 0.9]},
    "a base score": {"base_score": 3.5},
    "dart": {"booster": "dart", "rate_drop": 0.5},
    "several trees a round": {"num_parallel_tree": 3, "subsample": 0.5, "n_estimators": 5},
    "leaves first": {"grow_policy": "lossguide", "max_leaves": 9, "max_depth": 0},
    "trees of one leaf": {"min_child_weight": 1e6},
    "exact splits": {"tree_method": "exact"},
}


@pytest.mark.parametrize("parameters", REGRESSIONS.values(), ids=REGRESSIONS)
def test_a_regression_has_xgboosts_bits(rows: pl.DataFrame, parameters: Mapping[str, Any]) -> None:
    imported = import_model(fitted(xgboost.XGBRegressor, rows, scores(rows), **parameters), inputs=INPUTS)
    found = verify(graph_of(imported), imported, rows)
    assert found.is_equal, found
    assert found.numeric_class == "exact"


def test_several_targets_have_xgboosts_bits(rows: pl.DataFrame) -> None:
    model = fitted(xgboost.XGBRegressor, rows, np.stack([scores(rows), -(scores(rows) ** 2)], axis=1))
    graph = imported_graph(model)
    says = answers(graph, rows)["prediction"]
    assert says.shape == (rows.height, 2)
    assert (bits(says) == bits(double(model.predict(rows.select(COLUMNS))))).all()


def test_a_ranker_and_a_random_forest_have_xgboosts_bits(rows: pl.DataFrame) -> None:
    ranker = xgboost.XGBRanker(**QUIET)
    ranker.fit(rows.select(COLUMNS), scores(rows) > 5, qid=np.arange(rows.height) // 20)
    forest = fitted(xgboost.XGBRFRegressor, rows, scores(rows))
    for model in (ranker, forest):
        says = answers(imported_graph(model), rows)["prediction"]
        assert (bits(says) == bits(double(model.predict(rows.select(COLUMNS))))).all()


# A unit of float32 where exp is


@pytest.mark.parametrize("objective", ["count:poisson", "reg:gamma", "reg:tweedie", "reg:logistic"])
def test_a_regression_with_exp_is_within_two_float32_units(rows: pl.DataFrame, objective: str) -> None:
    labels = np.abs(scores(rows)) / 100 + 0.01
    model = fitted(xgboost.XGBRegressor, rows, np.minimum(labels, 1.0), objective=objective)
    imported = import_model(model, inputs=INPUTS)
    assert verify(graph_of(imported), imported, rows).max_ulp <= 2 * FLOAT32_UNIT


@pytest.mark.parametrize(
    ("count", "parameters"),
    [(2, {}), (3, {}), (3, {"objective": "multi:softmax"}), (5, {}), (2, {"scale_pos_weight": 7, "base_score": 0.1})],
)
def test_a_classifier_has_xgboosts_labels_and_nearly_its_bits(
    rows: pl.DataFrame, count: int, parameters: Mapping[str, Any]
) -> None:
    labels = np.digitize(scores(rows), np.quantile(scores(rows), np.linspace(0, 1, count + 1)[1:-1]))
    model = fitted(xgboost.XGBClassifier, rows, labels, **parameters)
    imported = import_model(model, inputs=INPUTS)
    graph = graph_of(imported)
    found = verify(graph, imported, rows)
    assert graph.classes == tuple(range(count))
    assert (found.flips, found.max_ulp <= 2 * FLOAT32_UNIT) == (0, True)
    assert found.differs < 0.05 * (found.rows + found.edges) * count
    assert answers(graph, rows)["prediction"].tolist() == model.predict(rows.select(COLUMNS)).tolist()


# What is used of a model


@pytest.mark.parametrize("objective", ["binary:logistic", "binary:logitraw", "multi:softmax"])
def test_a_booster_says_what_it_predicts(rows: pl.DataFrame, objective: str) -> None:
    data = xgboost.DMatrix(matrix(rows), scores(rows) > 5, feature_names=COLUMNS)
    more = {"num_class": 2} if "multi" in objective else {}
    booster = xgboost.train({"objective": objective, "nthread": 1, **more}, data, 5)
    says = answers(imported_graph(booster), rows)
    wanted = booster.predict(data)
    if objective == "multi:softmax":
        assert says["prediction"].tolist() == wanted.tolist()
    else:
        name = "probability" if objective == "binary:logistic" else "prediction"
        assert np.allclose(says[name], wanted, rtol=2e-7, atol=0)
    assert booster.predict(data).tolist() == wanted.tolist(), "the user's own model was changed"


def test_the_trees_up_to_the_best_round_answer(rows: pl.DataFrame) -> None:
    half = rows.height // 2
    model = xgboost.XGBRegressor(**{**QUIET, "n_estimators": 200, "early_stopping_rounds": 2, "learning_rate": 0.9})
    seen, unseen = rows[:half].select(COLUMNS), rows[half:].select(COLUMNS)
    model.fit(seen, scores(rows[:half]), eval_set=[(unseen, scores(rows[half:]))], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    says = answers(imported_graph(model), rows)["prediction"]
    assert (bits(says) == bits(double(model.predict(rows.select(COLUMNS))))).all()


def test_a_number_that_means_missing_is_missing(rows: pl.DataFrame) -> None:
    marked = rows.with_columns(pl.col(COLUMNS).cast(pl.Float64).fill_null(-999.0))
    model = fitted(xgboost.XGBRegressor, marked, scores(rows), missing=-999.0)
    imported = import_model(model, inputs={**INPUTS, "seats": un.Float64})
    for frame in (marked.with_columns(seats=rows["seats"]), rows):
        says = answers(graph_of(imported), frame)["prediction"]
        assert (bits(says) == bits(double(model.predict(marked.select(COLUMNS))))).all()


def test_a_matrix_without_names_needs_columns(rows: pl.DataFrame) -> None:
    model = xgboost.XGBRegressor(**QUIET).fit(matrix(rows), scores(rows))
    with pytest.raises(un.ModelError, match=r"8 columns without names; .* say columns="):
        import_model(model, inputs=INPUTS)
    imported = import_model(model, inputs=INPUTS, columns=COLUMNS)
    assert verify(graph_of(imported), imported, rows).is_equal


# Categories


def with_carrier(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select("dist", pl.col("carrier").cast(pl.Categorical))


def carrier_scores(rows: pl.DataFrame) -> NDArray[np.float64]:
    known = rows["carrier"].fill_null("").replace_strict({"UA": 9.0, "DL": -4.0, "AA": 2.0}, default=0.0)
    made: NDArray[np.float64] = known.to_numpy() + np.nan_to_num(matrix(rows)[:, 6]) / 500
    return made


@pytest.mark.parametrize("onehot", [1, 100])
@pytest.mark.parametrize("as_pandas", [False, True])
def test_a_category_of_texts_is_asked_by_its_text(rows: pl.DataFrame, onehot: int, as_pandas: bool) -> None:
    frame = with_carrier(rows)
    model = xgboost.XGBRegressor(**QUIET, enable_categorical=True, max_cat_to_onehot=onehot)
    model.fit(frame.to_pandas() if as_pandas else frame, carrier_scores(rows))
    imported = import_model(model, inputs=INPUTS)
    assert [block.kind for block in imported.blocks] == ["matrix", "text"]
    assert verify(graph_of(imported), imported, rows).is_equal
    says = answers(graph_of(imported), rows)["prediction"]
    assert (bits(says) == bits(double(model.predict(frame)))).all()


def test_a_category_of_numbers_is_asked_as_xgboost_asks_it(rows: pl.DataFrame) -> None:
    codes = (np.nan_to_num(matrix(rows)[:, 7]) // 20).clip(0)
    numbers = np.stack([matrix(rows)[:, 6], codes], axis=1)
    types = ["q", "c"]
    model = xgboost.XGBRegressor(**QUIET, feature_types=types, enable_categorical=True, max_cat_to_onehot=3)
    model.fit(numbers, codes % 3 + np.nan_to_num(numbers[:, 0]) / 500)
    imported = import_model(model, inputs=INPUTS, columns=["dist", "by_carrier__late_max_1h"])
    run = Runner(imported.graph)
    odd = [-1.0, -0.5, -0.0, 0.5, 2.7, 3.0, 50.0, 1e6, float(2**24), 3e8, np.nan]
    asked = np.stack([np.full(len(odd), 900.0), odd], axis=1)
    (says,) = run({"matrix": asked})
    assert (bits(says) == bits(double(model.predict(asked)))).all()


def test_a_category_of_other_numbers_is_refused(rows: pl.DataFrame) -> None:
    import pandas as pd

    frame = pd.DataFrame({"seats": pd.Categorical([10, 20, 30, 40] * 100)})
    model = xgboost.XGBRegressor(**QUIET, enable_categorical=True).fit(frame, scores(rows))
    with pytest.raises(un.ModelError, match='"seats" is a category of 10, 20, 30, 40; allowed: categories of strings'):
        import_model(model, inputs=INPUTS)


# At the edges of its questions


def test_numbers_beside_every_threshold_go_where_xgboost_sends_them(rows: pl.DataFrame) -> None:
    model = fitted(xgboost.XGBRegressor, rows, scores(rows))
    trees = model.get_booster().trees_to_dataframe()
    limits = np.asarray(trees["Split"].dropna().unique(), np.float32)
    beside = [np.nextafter(limits, np.float32(far)) for far in (np.inf, -np.inf)]
    near = double(np.concatenate([limits, *beside]))
    near = np.concatenate([near, np.nextafter(near, np.inf), np.nextafter(near, -np.inf), [0.0, -0.0, 1e-45, 5e-324]])
    asked = np.repeat(near[:, None], len(COLUMNS), axis=1)
    (says,) = Runner(import_model(model, inputs=INPUTS).graph)({"matrix": asked})
    assert (bits(says) == bits(double(model.predict(asked)))).all()


# What it refuses


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        (xgboost.XGBRegressor, {"booster": "gblinear"}, 'booster "gblinear"; allowed: gbtree, dart'),
        (xgboost.XGBClassifier, {"objective": "binary:hinge"}, 'objective "binary:hinge"; allowed: binary:logistic'),
    ],
)
def test_what_has_no_graph_is_refused(
    rows: pl.DataFrame, kind: type[Any], parameters: Mapping[str, Any], message: str
) -> None:
    known = rows.with_columns(pl.col(COLUMNS).fill_null(0.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parameters that it has no use for
        model = fitted(kind, known, scores(rows) > 5, **parameters)
    with pytest.raises(un.ModelError, match=message):
        import_model(model, inputs=INPUTS)


def test_leaves_of_several_numbers_are_refused(rows: pl.DataFrame) -> None:
    labels = np.stack([scores(rows), -scores(rows)], axis=1)
    model = fitted(xgboost.XGBRegressor, rows, labels, multi_strategy="multi_output_tree")
    with pytest.raises(un.ModelError, match=r'several numbers a leaf; .*multi_strategy="one_output_per_tree"'):
        import_model(model, inputs=INPUTS)


def test_a_classifier_of_several_labels_is_refused(rows: pl.DataFrame) -> None:
    labels = np.stack([scores(rows) > 0, scores(rows) > 5], axis=1)
    with pytest.raises(un.ModelError, match="several labels; allowed: one; fit one model a label"):
        import_model(fitted(xgboost.XGBClassifier, rows, labels), inputs=INPUTS)


def test_a_model_that_is_not_fitted_is_refused() -> None:
    with pytest.raises(un.ModelError, match="XGBRegressor is not fitted; allowed: a fitted one; call fit"):
        import_model(xgboost.XGBRegressor(), inputs=INPUTS)
