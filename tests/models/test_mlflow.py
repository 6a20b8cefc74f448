"""Folders that MLflow really wrote; reading them needs no MLflow."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray

import unisono as un
from tests.models.samples import graph_of, view
from unisono.models import import_model, verify
from unisono.models.files.mlflow_folder import read_folder

pytestmark = pytest.mark.slow

COLUMNS = [*view().feature_names, "dist", "seats"]
INPUTS = {**dict.fromkeys(COLUMNS, un.Float64), "seats": un.Int64, "carrier": un.String}


def table(rows: pl.DataFrame) -> pd.DataFrame:
    return known(rows).select(pl.col(COLUMNS).cast(pl.Float64)).to_pandas()


def known(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col(COLUMNS).fill_null(0))


def scores(rows: pl.DataFrame) -> NDArray[np.float64]:
    numbers = table(rows).to_numpy()
    made: NDArray[np.float64] = numbers[:, 1] + np.abs(numbers[:, 2]) - numbers[:, 6] / 100
    return made


def save(flavor: str, model: Any, folder: Path, rows: pl.DataFrame | None = None, **parameters: Any) -> Path:
    """A folder as MLflow writes it; with a signature, if there are rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MLflow about itself
        module = importlib.import_module(f"mlflow.{flavor}")
        if rows is not None:
            signing = importlib.import_module("mlflow.models")
            parameters["signature"] = signing.infer_signature(table(rows), scores(rows))
        module.save_model(model, str(folder), pip_requirements=[], **parameters)
    return folder


def _sklearn(rows: pl.DataFrame) -> Any:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(5, max_depth=4, random_state=1).fit(table(rows).to_numpy(), scores(rows))


def _lightgbm(rows: pl.DataFrame) -> Any:
    import lightgbm

    return lightgbm.LGBMRegressor(n_estimators=5, verbose=-1).fit(table(rows), scores(rows)).booster_


def _xgboost(rows: pl.DataFrame) -> Any:
    import xgboost

    return xgboost.XGBClassifier(n_estimators=5).fit(table(rows), scores(rows) > 5)


def _catboost(rows: pl.DataFrame) -> Any:
    import catboost

    model = catboost.CatBoostClassifier(iterations=5, depth=3, verbose=0, allow_writing_files=False)
    return model.fit(table(rows), np.where(scores(rows) > 5, "high", "low"))


def _onnx(rows: pl.DataFrame) -> Any:
    from skl2onnx import to_onnx

    return to_onnx(_sklearn(rows), table(rows).to_numpy(np.float32)[:1])


def _pytorch(rows: pl.DataFrame) -> Any:
    import torch

    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(len(COLUMNS), 4), torch.nn.ReLU(), torch.nn.Linear(4, 1)).eval()


PICKLED = ("sklearn", "pytorch")
FLAVORS: Mapping[str, Callable[[pl.DataFrame], Any]] = {
    "sklearn": _sklearn,
    "lightgbm": _lightgbm,
    "xgboost": _xgboost,
    "catboost": _catboost,
    "onnx": _onnx,
    "pytorch": _pytorch,
}


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_folder_is_a_model_of_the_library_inside(flavor: str, rows: pl.DataFrame, tmp_path: Path) -> None:
    pickled = {"serialization_format": "pickle"} if flavor in PICKLED else {}
    folder = save(flavor, FLAVORS[flavor](rows), tmp_path / "model", rows, **pickled)
    told = pytest.warns(UserWarning, match="is a pickle: opening it runs code that is in it")
    with told if pickled else warnings.catch_warnings():
        imported = import_model(folder, inputs=INPUTS)
    assert imported.library.partition(" ")[0] in (flavor, "scikit-learn", "torch")
    assert sorted(imported.columns) == sorted(COLUMNS)
    assert verify(graph_of(imported), imported, known(rows)).flips == 0


def test_the_class_that_was_saved_answers(rows: pl.DataFrame, tmp_path: Path) -> None:
    for flavor, classes in (("xgboost", (0, 1)), ("catboost", ("high", "low"))):
        folder = save(flavor, FLAVORS[flavor](rows), tmp_path / flavor)
        assert import_model(folder, inputs=INPUTS).classes == classes


def test_skops_is_read_as_far_as_the_folder_trusts_it(rows: pl.DataFrame, tmp_path: Path) -> None:
    trusted = ["sklearn.tree._tree.Tree"]
    folder = save("sklearn", _sklearn(rows), tmp_path / "model", rows, skops_trusted_types=trusted)
    with pytest.warns(UserWarning, match="is a skops file that trusts sklearn.tree._tree.Tree"):
        imported = import_model(folder, inputs=INPUTS)
    assert verify(graph_of(imported), imported, known(rows)).is_equal


# Folders that something is wrong with


def write(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "MLmodel").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flavors: {spark: {}}", "flavors spark; allowed: onnx, lightgbm, xgboost, catboost, sklearn, pytorch; log"),
        ("", "flavors none; allowed: onnx"),
        ("flavors: [1", "allowed: YAML; log the model again"),
        ("!!python/object/apply:os.system ['true']", "allowed: YAML"),
        ("flavors: {onnx: {data: ../secret.onnx}}", r'data "\.\./secret\.onnx"; allowed: a file in the folder'),
        ("flavors: {onnx: {data: model.onnx}}", 'data "model.onnx"; allowed: a file in the folder'),
        ("flavors: {onnx: {}}", 'data ""; allowed: a file in the folder'),
        ("flavors: {sklearn: {pickled_model: MLmodel, serialization_format: dill}}", '"dill"; allowed: pickle'),
    ],
)
def test_a_folder_that_cannot_be_opened_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "secret.onnx").write_bytes(b"")

    def tell(path: Path, kind: str) -> None:
        raise AssertionError(f"{path} was about to be opened as {kind}")

    with pytest.raises(un.ModelError, match=message):
        read_folder(write(tmp_path / "model", text), tell)


def test_what_the_model_says_wrong_is_not_hidden_by_the_signature(rows: pl.DataFrame, tmp_path: Path) -> None:
    folder = save("xgboost", _xgboost(rows), tmp_path / "model")
    with pytest.raises(un.ModelError, match='reads "dist", which is not there'):
        import_model(folder, inputs={name: dtype for name, dtype in INPUTS.items() if name != "dist"})
