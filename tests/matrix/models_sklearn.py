"""Models of scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from sklearn import datasets, ensemble, linear_model, neighbors, neural_network, preprocessing
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

from tests.matrix.case import Builder, Case
from tests.matrix.tables import case, long_table, table, with_texts


def _forest() -> Case:
    rows, labels = table(datasets.load_wine)
    return case(ensemble.RandomForestClassifier(30, random_state=1).fit(rows, labels), rows, "multi-class")


def _missing() -> Case:
    rows, labels = table(datasets.load_breast_cancer, missing=0.1)
    names = np.array(["malignant", "benign"])[labels]
    model = ensemble.HistGradientBoostingClassifier(max_iter=30).fit(rows, names)
    return case(model, rows, "binary", "missing values")


def _ridge() -> Case:
    rows, labels = table(datasets.load_diabetes)
    return case(
        make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge()).fit(rows, labels), rows, "regression"
    )


def _network() -> Case:
    rows, labels = table(datasets.load_iris)
    network = neural_network.MLPClassifier((12,), max_iter=300, random_state=1)
    return case(make_pipeline(preprocessing.StandardScaler(), network).fit(rows, labels), rows, "multi-class")


def _categories() -> Case:
    rows, labels = table(datasets.load_diabetes, missing=0.05)
    rows = with_texts(rows, "c1", "c8")
    names = preprocessing.OneHotEncoder(handle_unknown="ignore")
    numbers = rows.select(pl.col(pl.Float64)).columns
    columns = ColumnTransformer([("numbers", SimpleImputer(), numbers), ("names", names, ["c1", "c8"])])
    model = make_pipeline(columns, linear_model.BayesianRidge()).fit(rows, labels)
    return case(model, rows, "regression", "categories", "missing values")


def _digits() -> Case:
    rows, labels = table(datasets.load_digits)
    model = make_pipeline(preprocessing.MinMaxScaler(), linear_model.LogisticRegression(max_iter=200))
    return case(model.fit(rows, labels), rows, "multi-class")


def _neighbours() -> Case:
    rows, labels = table(datasets.load_iris)
    return case(neighbors.KNeighborsRegressor(3).fit(rows, labels), rows, "regression")


def _components() -> Case:
    rows, labels = table(datasets.load_wine)
    model = make_pipeline(preprocessing.StandardScaler(), PCA(5), linear_model.LogisticRegression())
    return case(model.fit(rows, labels), rows, "multi-class")


def _long() -> Case:
    rows, labels = long_table(datasets.load_breast_cancer, rows=100_000)
    model = make_pipeline(preprocessing.StandardScaler(), linear_model.SGDClassifier(loss="log_loss", random_state=1))
    return case(model.fit(rows[:2000], labels[:2000]), rows, "binary", "long")


MODELS: Mapping[str, Builder] = {
    "sklearn_forest": _forest,
    "sklearn_missing": _missing,
    "sklearn_ridge": _ridge,
    "sklearn_network": _network,
    "sklearn_categories": _categories,
    "sklearn_digits": _digits,
    "sklearn_neighbours": _neighbours,
    "sklearn_components": _components,
    "sklearn_long": _long,
}
