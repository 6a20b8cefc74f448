from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import lightgbm
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import unisono as un
from tests.models.samples import answers, graph_of, view
from unisono.models import PredictorGraph, import_model, verify
from unisono.models.session import Runner, bits

pytestmark = pytest.mark.slow

COLUMNS = [*view().feature_names, "dist", "seats"]
INPUTS = {**dict.fromkeys(COLUMNS, un.Float64), "seats": un.Int64, "carrier": un.String}
QUIET: Mapping[str, Any] = {"verbose": -1, "n_jobs": 1, "random_state": 7, "n_estimators": 25, "min_child_samples": 5}


def matrix(rows: pl.DataFrame) -> NDArray[np.float64]:
    return np.ascontiguousarray(rows.select(pl.col(COLUMNS).cast(pl.Float64).fill_null(np.nan)).to_numpy())


def scores(rows: pl.DataFrame) -> NDArray[np.float64]:
    """Something to learn."""
    known = np.nan_to_num(matrix(rows))
    return known[:, 1] + np.abs(known[:, 2]) - known[:, 6] / 100


def fitted(kind: type[Any], rows: pl.DataFrame, labels: NDArray[Any], **parameters: Any) -> Any:
    categories = parameters.pop("categorical_feature", "auto")
    model = kind(**{**QUIET, **parameters})
    return model.fit(rows.select(COLUMNS), labels, categorical_feature=categories)


def predicted(model: Any, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """What LightGBM itself says of a matrix."""
    says: NDArray[np.float64] = getattr(model, "booster_", model).predict(numbers, num_threads=1)
    return says


def imported_graph(model: Any) -> PredictorGraph:
    return graph_of(import_model(model, inputs=INPUTS))


REGRESSIONS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "l1": {"objective": "l1"},
    "huber": {"objective": "huber"},
    "quantile": {"objective": "quantile", "alpha": 0.9},
    "of the square root": {"reg_sqrt": True},
    "zero as missing": {"zero_as_missing": True},
    "no missing": {"use_missing": False},
    "dart": {"boosting_type": "dart"},
    "random forest": {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.6},
    "a categorical column": {"categorical_feature": [7]},
    "trees of one leaf": {"min_child_samples": 1000},
}


@pytest.mark.parametrize("parameters", REGRESSIONS.values(), ids=REGRESSIONS)
def test_a_regression_has_lightgbms_bits(rows: pl.DataFrame, parameters: Mapping[str, Any]) -> None:
    model = fitted(lightgbm.LGBMRegressor, rows, scores(rows), **parameters)
    says = answers(imported_graph(model), rows)["prediction"]
    assert (bits(says) == bits(predicted(model, matrix(rows)))).all()


@pytest.mark.parametrize("objective", ["poisson", "gamma", "tweedie"])
def test_a_regression_with_exp_is_within_two_units_in_the_last_place(rows: pl.DataFrame, objective: str) -> None:
    model = fitted(lightgbm.LGBMRegressor, rows, np.abs(scores(rows)) + 0.1, objective=objective)
    imported = import_model(model, inputs=INPUTS)
    assert verify(graph_of(imported), imported, rows).max_ulp <= 2


@pytest.mark.parametrize(
    ("parameters", "classes"),
    [
        ({}, ["no", "yes"]),
        ({}, [False, True]),
        ({}, [3, 8]),
        ({"sigmoid": 2.5}, [0, 1]),
        ({"zero_as_missing": True}, [0, 1]),
        ({}, ["a", "b", "c"]),
        ({"objective": "multiclassova"}, [1, 5, 9]),
    ],
)
def test_a_classifier_has_lightgbms_labels_and_nearly_its_bits(
    rows: pl.DataFrame, parameters: Mapping[str, Any], classes: list[Any]
) -> None:
    places = np.digitize(scores(rows), [0.0, 8.0][: len(classes) - 1])
    model = fitted(lightgbm.LGBMClassifier, rows, np.array(classes)[places], **parameters)
    imported = import_model(model, inputs=INPUTS)
    graph = graph_of(imported)
    verification = verify(graph, imported, rows)
    assert graph.classes == tuple(classes)
    assert graph.task == ("binary" if len(classes) == 2 else "multiclass")
    assert verification.flips == 0
    assert verification.max_ulp <= 2
    assert answers(graph, rows)["prediction"].tolist() == model.predict(rows.select(COLUMNS)).tolist()


def test_a_booster_says_the_positions_of_its_classes(rows: pl.DataFrame) -> None:
    data = lightgbm.Dataset(matrix(rows), scores(rows) > 5, feature_name=COLUMNS)
    booster = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 5)
    graph = imported_graph(booster)
    says = answers(graph, rows)
    assert graph.classes == (0, 1)
    assert says["prediction"].tolist() == (predicted(booster, matrix(rows)) > 0.5).astype(int).tolist()


def test_a_booster_with_a_best_iteration_uses_the_trees_up_to_it(rows: pl.DataFrame) -> None:
    data = lightgbm.Dataset(matrix(rows), scores(rows), feature_name=COLUMNS)
    booster = lightgbm.train({"verbose": -1, "num_threads": 1}, data, 9)
    booster.best_iteration = 4
    says = answers(imported_graph(booster), rows)["prediction"]
    assert (bits(says) == bits(predicted(booster, matrix(rows)))).all()


# At the edges of its questions

_SPECIAL = [np.nan, 0.0, -0.0, 1e-35, -1e-35, 1e-36, -1e-36, 1.1e-35, 5e-324, np.inf, -np.inf, 1e300, -1.0, 2.7, 300.0]


def thresholds(model: Any) -> list[float]:
    trees = model.booster_.trees_to_dataframe()
    kept = trees[trees["decision_type"] == "<="]["threshold"].dropna().astype(float)
    return sorted(set(kept.tolist()))[:300]


def around(numbers: list[float]) -> NDArray[np.float64]:
    near = np.array(numbers + _SPECIAL)
    return np.concatenate([near, np.nextafter(near, np.inf), np.nextafter(near, -np.inf)])


@cache
def edge_models() -> list[tuple[Any, Runner, NDArray[np.float64]]]:
    """Models with each kind of question, their graphs, and the numbers around their thresholds."""
    random = np.random.default_rng(3)
    numbers = np.round(random.normal(size=(400, 8)) * 2) / 2
    numbers[random.random(numbers.shape) < 0.2] = 0.0
    numbers[:, 7] = random.integers(0, 70, 400)
    numbers[:, :4][random.random((400, 4)) < 0.1] = np.nan
    labels = numbers[:, 4] + np.nan_to_num(numbers[:, 0]) + (numbers[:, 7] % 3 == 0)
    chosen: list[dict[str, Any]] = [{}, {"zero_as_missing": True}, {"use_missing": False}, {"categorical_feature": [7]}]
    frame = pl.DataFrame(numbers, schema=COLUMNS)
    models = [fitted(lightgbm.LGBMRegressor, frame, labels, **parameters) for parameters in chosen]
    return [(model, Runner(import_model(model, inputs=INPUTS).graph), around(thresholds(model))) for model in models]


@given(st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_no_decision_flips_at_a_threshold(which: int, seed: int) -> None:
    model, run, near = edge_models()[which]
    numbers = np.random.default_rng(seed).choice(near, (40, len(COLUMNS)))
    assert (bits(run({"matrix": numbers})[0]) == bits(predicted(model, numbers))).all()


# Whatever the batch


def test_a_rows_bits_do_not_depend_on_its_batch(rows: pl.DataFrame) -> None:
    graph = imported_graph(fitted(lightgbm.LGBMClassifier, rows, scores(rows) > 5))
    many = pl.concat([rows] * 25)  # 10,000 rows: more than a session runs at once
    whole = answers(graph, many)
    for cuts in (range(1, rows.height), range(7, rows.height, 7), [3, 130, 399]):
        parts = answers(graph, rows, list(cuts))
        for name, one in parts.items():
            np.testing.assert_array_equal(bits(one) if one.dtype == float else one, _bits(whole[name][: rows.height]))


def _bits(array: NDArray[Any]) -> NDArray[Any]:
    return bits(array) if array.dtype == float else array


# Columns


def test_a_pandas_category_of_strings_is_read_as_text(rows: pl.DataFrame) -> None:
    frame = rows.select("carrier", *COLUMNS).to_pandas().astype({"carrier": "category"})
    labels = (rows["carrier"] == "UA").fill_null(value=False).to_numpy() ^ (scores(rows) > 5)
    model = lightgbm.LGBMClassifier(**QUIET).fit(frame, labels)
    imported = import_model(model, inputs=INPUTS)
    assert verify(graph_of(imported), imported, rows).max_ulp <= 2
    strange = rows.with_columns(carrier=pl.Series(["??", None] * (rows.height // 2)))
    assert verify(graph_of(imported), imported, strange).max_ulp <= 2


def test_columns_are_found_by_name_in_any_order(rows: pl.DataFrame) -> None:
    backwards = COLUMNS[::-1]
    model = lightgbm.LGBMRegressor(**QUIET).fit(rows.select(backwards), scores(rows))
    says = answers(imported_graph(model), rows)["prediction"]
    assert (bits(says) == bits(predicted(model, matrix(rows)[:, ::-1]))).all()


def test_a_bare_matrix_needs_names(rows: pl.DataFrame) -> None:
    model = lightgbm.LGBMRegressor(**QUIET).fit(matrix(rows), scores(rows))
    with pytest.raises(un.ModelError, match=r"8 columns without names; .* say columns=\[...\] in training order"):
        import_model(model, inputs=INPUTS)
    says = answers(graph_of(import_model(model, inputs=INPUTS, columns=COLUMNS)), rows)["prediction"]
    assert (bits(says) == bits(predicted(model, matrix(rows)))).all()
    with pytest.raises(un.ModelError, match=r"8 columns; allowed: as many as columns= names \(2\)"):
        import_model(model, inputs=INPUTS, columns=["dist", "seats"])


def test_unknown_columns_are_listed_with_the_nearest_names(rows: pl.DataFrame) -> None:
    renamed = rows.select(COLUMNS).rename({"dist": "distance", "seats": "seat"})
    model = lightgbm.LGBMRegressor(**QUIET).fit(renamed, scores(rows))
    with pytest.raises(un.ModelError) as caught:
        import_model(model, inputs=INPUTS)
    first, second, allowed = str(caught.value).splitlines()
    assert first.startswith('model: reads "distance", which is not there')
    assert second == 'model: reads "seat", which is not there; did you mean "seats"?'
    assert allowed.startswith("allowed: by_carrier__count_1h, ")


def test_a_time_is_no_number(rows: pl.DataFrame) -> None:
    frame = rows.select("dist", pl.col("sched_dep").to_physical().cast(pl.Float64))
    model = lightgbm.LGBMRegressor(**QUIET).fit(frame, scores(rows))
    with pytest.raises(un.ModelError, match='"sched_dep" is Timestamp; allowed: Int64, Float64, Bool, Decimal'):
        import_model(model, inputs={"dist": un.Float64, "sched_dep": un.Timestamp})


# What it refuses


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"linear_tree": True}, "linear trees; allowed: constant leaves"),
        ({"objective": "cross_entropy_lambda"}, 'objective "cross_entropy_lambda"; allowed: binary'),
    ],
)
def test_what_has_no_graph_is_refused(rows: pl.DataFrame, parameters: Mapping[str, Any], message: str) -> None:
    known = rows.with_columns(pl.col(COLUMNS).fill_null(0.0))
    model = fitted(lightgbm.LGBMRegressor, known, (scores(rows) > 5).astype(float), **parameters)
    with pytest.raises(un.ModelError, match=message):
        import_model(model, inputs=INPUTS)


def test_what_no_importer_knows_is_refused() -> None:
    with pytest.raises(un.ModelError, match=r'model: "builtins.dict"; allowed: models of lightgbm, .*sklearn'):
        import_model({}, inputs=INPUTS)


@pytest.mark.parametrize("model", [lightgbm.LGBMRegressor(), lightgbm.LGBMClassifier(), lightgbm.LGBMRanker()])
def test_a_model_that_was_never_fitted_is_refused(model: object) -> None:
    with pytest.raises(un.ModelError, match=r"model: LGBM\w+ is not fitted; allowed: a fitted one; call fit"):
        import_model(model, inputs={"x": un.Float64})
