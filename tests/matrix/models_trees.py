"""Models of LightGBM, XGBoost and CatBoost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import catboost
import lightgbm
import numpy as np
import polars as pl
import xgboost
from sklearn import datasets, preprocessing
from sklearn.pipeline import make_pipeline

from tests.matrix.case import Builder, Case
from tests.matrix.tables import case, long_table, table, wide_table, with_texts

_LIGHTGBM: Mapping[str, Any] = {
    "n_estimators": 40,
    "num_leaves": 15,
    "min_child_samples": 5,
    "verbose": -1,
    "n_jobs": 1,
}
_XGBOOST: Mapping[str, Any] = {"n_estimators": 30, "max_depth": 4, "n_jobs": 1}
_CATBOOST: Mapping[str, Any] = {"iterations": 40, "depth": 4, "verbose": 0, "thread_count": 1}


def _catboost(kind: type[Any], **parameters: Any) -> Any:
    return kind(**_CATBOOST, **parameters, allow_writing_files=False)


# LightGBM


def _lightgbm_binary() -> Case:
    rows, labels = table(datasets.load_breast_cancer, missing=0.2)
    return case(lightgbm.LGBMClassifier(**_LIGHTGBM).fit(rows, labels), rows, "binary", "missing values")


def _lightgbm_regression() -> Case:
    rows, labels = table(datasets.load_diabetes)
    return case(lightgbm.LGBMRegressor(**_LIGHTGBM, objective="poisson").fit(rows, labels), rows, "regression")


def _lightgbm_categories() -> Case:
    rows, labels = table(datasets.load_wine)
    rows = with_texts(rows, "c0", "c6")
    frame = rows.with_columns(pl.col(pl.String).cast(pl.Categorical)).to_pandas()
    return case(lightgbm.LGBMClassifier(**_LIGHTGBM).fit(frame, labels), rows, "multi-class", "categories")


def _lightgbm_wide() -> Case:
    rows, labels = wide_table(datasets.load_breast_cancer, columns=520)
    return case(lightgbm.LGBMClassifier(**_LIGHTGBM).fit(rows, labels), rows, "binary", "wide")


# XGBoost


def _xgboost_binary() -> Case:
    rows, labels = table(datasets.load_breast_cancer, missing=0.2)
    return case(xgboost.XGBClassifier(**_XGBOOST).fit(rows, labels), rows, "binary", "missing values")


def _xgboost_multiclass() -> Case:
    rows, labels = table(datasets.load_digits)
    return case(xgboost.XGBClassifier(**{**_XGBOOST, "n_estimators": 8}).fit(rows, labels), rows, "multi-class")


def _xgboost_categories() -> Case:
    rows, labels = table(datasets.load_diabetes)
    rows = with_texts(rows, "c2", "c8")
    model = xgboost.XGBRegressor(**_XGBOOST, enable_categorical=True)
    frame = rows.with_columns(pl.col(pl.String).cast(pl.Categorical))
    return case(model.fit(frame, labels), rows, "regression", "categories")


def _xgboost_outputs() -> Case:
    rows, labels = table(datasets.load_linnerud)
    return case(xgboost.XGBRegressor(**_XGBOOST).fit(rows, labels), rows, "regression", "multi-output")


def _xgboost_long() -> Case:
    rows, labels = long_table(datasets.load_diabetes, rows=100_000)
    return case(xgboost.XGBRegressor(**_XGBOOST).fit(rows[:5000], labels[:5000]), rows, "regression", "long")


def _xgboost_dart() -> Case:
    rows, labels = table(datasets.load_wine)
    data = xgboost.DMatrix(rows, labels)
    parameters = {"booster": "dart", "rate_drop": 0.3, "objective": "multi:softmax", "num_class": 3, "nthread": 1}
    return case(xgboost.train(parameters, data, 10), rows, "multi-class")


# CatBoost


def _catboost_binary() -> Case:
    rows, labels = table(datasets.load_breast_cancer, missing=0.1)
    model = _catboost(catboost.CatBoostClassifier).fit(rows.to_pandas(), np.array(["malignant", "benign"])[labels])
    return case(model, rows, "binary", "missing values")


def _catboost_multiclass() -> Case:
    rows, labels = table(datasets.load_iris)
    model = _catboost(catboost.CatBoostClassifier, grow_policy="Lossguide").fit(rows.to_pandas(), labels)
    return case(model, rows, "multi-class")


def _catboost_outputs() -> Case:
    rows, labels = table(datasets.load_linnerud)
    model = _catboost(catboost.CatBoostRegressor, loss_function="MultiRMSE").fit(rows.to_pandas(), labels)
    return case(model, rows, "regression", "multi-output")


def _catboost_categories() -> Case:
    rows, labels = table(datasets.load_diabetes)
    rows = with_texts(rows, "c1", "c2", "c8")
    names = ["c1", "c2", "c8"]
    model = _catboost(catboost.CatBoostRegressor, cat_features=names, one_hot_max_size=2)
    model.fit(rows.with_columns(pl.col(names).fill_null("")).to_pandas(), labels)
    texts = {name: sorted(set(rows[name].fill_null(""))) for name in names}
    model.get_metadata()["unisono.categories"] = json.dumps(texts)
    return case(model, rows, "regression", "categories")


def _pipeline() -> Case:
    rows, labels = table(datasets.load_breast_cancer)
    model = make_pipeline(preprocessing.RobustScaler(), lightgbm.LGBMClassifier(**_LIGHTGBM))
    return case(model.fit(rows, labels), rows, "binary")


MODELS: Mapping[str, Builder] = {
    "lightgbm_binary": _lightgbm_binary,
    "lightgbm_regression": _lightgbm_regression,
    "lightgbm_categories": _lightgbm_categories,
    "lightgbm_wide": _lightgbm_wide,
    "lightgbm_pipeline": _pipeline,
    "xgboost_binary": _xgboost_binary,
    "xgboost_multiclass": _xgboost_multiclass,
    "xgboost_categories": _xgboost_categories,
    "xgboost_outputs": _xgboost_outputs,
    "xgboost_long": _xgboost_long,
    "xgboost_dart": _xgboost_dart,
    "catboost_binary": _catboost_binary,
    "catboost_multiclass": _catboost_multiclass,
    "catboost_outputs": _catboost_outputs,
    "catboost_categories": _catboost_categories,
}
