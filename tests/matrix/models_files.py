"""Models that come as files: ONNX, and folders of MLflow."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import catboost
import numpy as np
import xgboost
from sklearn import datasets, ensemble, linear_model, preprocessing
from sklearn.pipeline import make_pipeline

from tests.matrix.case import Builder, Case
from tests.matrix.tables import case, table
from unisono.models.files.mlflow_folder import read_folder


def _onnx_forest() -> Case:
    from skl2onnx import to_onnx

    rows, labels = table(datasets.load_wine)
    numbers = rows.to_numpy().astype(np.float32)
    file = to_onnx(ensemble.RandomForestClassifier(20, random_state=1).fit(numbers, labels), numbers[:1])
    return case(file.SerializeToString(), rows, "multi-class", columns=tuple(rows.columns))


def _onnx_linear() -> Case:
    from skl2onnx import to_onnx

    rows, labels = table(datasets.load_linnerud)
    numbers = rows.to_numpy().astype(np.float32)
    model = make_pipeline(preprocessing.StandardScaler(), linear_model.LinearRegression()).fit(numbers, labels)
    return case(to_onnx(model, numbers[:1]), rows, "multi-output", "outputs", columns=tuple(rows.columns))


def _onnx_catboost() -> Case:
    rows, labels = table(datasets.load_diabetes)
    model = catboost.CatBoostRegressor(iterations=30, depth=4, verbose=0, allow_writing_files=False)
    model.fit(rows.to_numpy(), labels)
    with tempfile.TemporaryDirectory() as folder:
        model.save_model(f"{folder}/model.onnx", format="onnx")
        file = Path(folder, "model.onnx").read_bytes()
    return case(file, rows, "regression", columns=tuple(rows.columns))


def _mlflow_xgboost() -> Case:
    from mlflow import xgboost as flavor

    rows, labels = table(datasets.load_wine, missing=0.1)
    model = xgboost.XGBClassifier(n_estimators=10, n_jobs=1).fit(rows, labels)
    with tempfile.TemporaryDirectory() as folder:
        flavor.save_model(model, f"{folder}/model", pip_requirements=[])
        opened = read_folder(Path(folder, "model"), _tell)
    return case(opened, rows, "multi-class", "missing values")


def _mlflow_sklearn() -> Case:
    from mlflow import sklearn as flavor
    from mlflow.models import infer_signature

    rows, labels = table(datasets.load_diabetes)
    model = ensemble.ExtraTreesRegressor(20, max_depth=6, random_state=1).fit(rows.to_numpy(), labels)
    with tempfile.TemporaryDirectory() as folder:
        signature = infer_signature(rows.to_pandas(), labels)
        more = {"signature": signature, "serialization_format": "pickle", "pip_requirements": []}
        flavor.save_model(model, f"{folder}/model", **more)
        opened = read_folder(Path(folder, "model"), _tell)
    return case(opened, rows, "regression")


def _tell(path: Path, kind: str) -> None:
    """A pickle is opened that this process wrote."""


MODELS: Mapping[str, Builder] = {
    "onnx_forest": _onnx_forest,
    "onnx_linear": _onnx_linear,
    "onnx_catboost": _onnx_catboost,
    "mlflow_xgboost": _mlflow_xgboost,
    "mlflow_sklearn": _mlflow_sklearn,
}
