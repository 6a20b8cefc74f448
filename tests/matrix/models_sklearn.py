"""Models of scikit-learn, fitted on the tables that it brings along."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
from sklearn import datasets, ensemble, linear_model, neighbors, neural_network, preprocessing
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

import unisono as un
from tests.matrix.case import Builder, Case


def table(load: Callable[[], Any], *, missing: float = 0.0) -> tuple[pl.DataFrame, Any]:
    """One of scikit-learn's tables, with its columns as names and its labels.

    missing: the share of numbers that are taken out.
    """
    bunch = load()
    names = [f"c{place}" for place in range(bunch.data.shape[1])]
    numbers = np.asarray(bunch.data, np.float64).copy()
    numbers[np.random.default_rng(5).random(numbers.shape) < missing] = np.nan
    return pl.DataFrame(numbers, schema=names), bunch.target


def numbers_case(model: Any, rows: pl.DataFrame, labels: Any, *kinds: str) -> Case:
    """A model fitted on a frame of numbers."""
    asked = rows.with_columns(pl.all().fill_nan(None))
    return Case(model.fit(rows, labels), dict.fromkeys(rows.columns, un.Float64), asked, kinds)


def _forest() -> Case:
    rows, labels = table(datasets.load_wine)
    return numbers_case(ensemble.RandomForestClassifier(30, random_state=1), rows, labels, "multi-class")


def _missing() -> Case:
    rows, labels = table(datasets.load_breast_cancer, missing=0.1)
    names = np.array(["malignant", "benign"])[labels]
    return numbers_case(ensemble.HistGradientBoostingClassifier(max_iter=30), rows, names, "binary", "missing values")


def _ridge() -> Case:
    rows, labels = table(datasets.load_diabetes)
    model = make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge())
    return numbers_case(model, rows, labels, "regression")


def _network() -> Case:
    rows, labels = table(datasets.load_iris)
    network = neural_network.MLPClassifier((12,), max_iter=300, random_state=1)
    return numbers_case(make_pipeline(preprocessing.StandardScaler(), network), rows, labels, "multi-class")


def _categories() -> Case:
    rows, labels = table(datasets.load_diabetes, missing=0.05)
    sex = rows["c1"].fill_nan(0.0)
    rows = rows.with_columns(pl.when(sex > 0).then(pl.lit("f")).when(sex < 0).then(pl.lit("m")).alias("c1"))
    numbers = [name for name in rows.columns if name != "c1"]
    names = preprocessing.OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("numbers", SimpleImputer(), numbers), ("names", names, ["c1"])])
    model = make_pipeline(columns, linear_model.BayesianRidge()).fit(rows, labels)
    kinds = ("regression", "categories", "missing values")
    request = {name: un.String if name == "c1" else un.Float64 for name in rows.columns}
    return Case(model, request, rows.with_columns(pl.col(numbers).fill_nan(None)), kinds)


def _digits() -> Case:
    rows, labels = table(datasets.load_digits)
    model = make_pipeline(preprocessing.MinMaxScaler(), linear_model.LogisticRegression(max_iter=200))
    return numbers_case(model, rows, labels, "multi-class")


def _neighbours() -> Case:
    rows, labels = table(datasets.load_iris)
    return numbers_case(neighbors.KNeighborsRegressor(3), rows, labels, "regression")


MODELS: Mapping[str, Builder] = {
    "sklearn_forest": _forest,
    "sklearn_missing": _missing,
    "sklearn_ridge": _ridge,
    "sklearn_network": _network,
    "sklearn_categories": _categories,
    "sklearn_digits": _digits,
    "sklearn_neighbours": _neighbours,
}
