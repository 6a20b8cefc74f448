from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from unisono.cli.fitted import open_model, training_of
from unisono.spec.errors import ModelError

FRAME = pl.DataFrame({"x": [1.0, 2.0]})
SCRIPT = """
from fractions import Fraction
ANSWER = 42

def fit(frame):
    return {"rows": frame.height}

def fail(frame):
    return frame.height / 0

def forget(frame):
    pass
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with a script; another folder is the current one."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (home / "training_script.py").write_text(SCRIPT)
    monkeypatch.chdir(elsewhere)
    monkeypatch.delitem(sys.modules, "training_script", raising=False)
    return home


def fit(reference: str, home: Path) -> object:
    training = training_of(reference, home)
    assert training is not None
    return training.fit(FRAME)


def test_a_module_of_the_project_is_called_with_the_frame(home: Path) -> None:
    before = list(sys.path)
    assert fit("training_script:fit", home) == {"rows": 2}
    assert sys.path == before


def test_a_file_is_relative_to_the_current_folder(home: Path) -> None:
    assert fit("../home/training_script.py:fit", home) == {"rows": 2}
    with pytest.raises(ModelError, match=r"there is no such file; .*did you mean .*home/training_script.py\?"):
        fit("training_script.py:fit", home)


def test_modules_beside_a_training_file_can_be_imported_by_it(home: Path, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("NUMBER = 7\n")
    (tmp_path / "other.py").write_text("import beside\ndef fit(frame):\n    return beside.NUMBER\n")
    assert fit("../other.py:fit", home) == 7


def test_what_a_training_function_raises_is_told_with_its_line(home: Path) -> None:
    with pytest.raises(ModelError, match=r"training_script.py, line 9\): ZeroDivisionError: division by zero; correct"):
        fit("training_script:fail", home)


def test_a_training_module_that_is_no_python_is_told_with_its_line(home: Path) -> None:
    (home / "broken_script.py").write_text("x = 1\ny = = 2\n")
    with pytest.raises(ModelError, match=r"broken_script.py, line 2\): SyntaxError: invalid syntax"):
        fit("broken_script:fit", home)


def test_a_training_function_that_returns_nothing_is_refused(home: Path) -> None:
    with pytest.raises(ModelError, match="returned nothing; allowed: a fitted model; add `return model`"):
        fit("training_script:forget", home)


def test_a_function_that_is_not_there_is_refused_with_the_nearest(home: Path) -> None:
    with pytest.raises(ModelError, match='no function fitt there; allowed: fit, fail, forget; did you mean "fit"'):
        fit("training_script:fitt", home)
    with pytest.raises(ModelError, match="no function ANSWER there"):
        fit("training_script:ANSWER", home)


def test_a_module_that_is_not_there_is_refused(home: Path) -> None:
    with pytest.raises(ModelError, match="ModuleNotFoundError: No module named 'no_such_module'"):
        fit("no_such_module:fit", home)


@pytest.mark.parametrize("reference", ["model.txt", "model.pkl", "C:\\models\\model.txt", "train.py", ":fit", "train:"])
def test_what_does_not_name_a_function_is_a_file(reference: str, home: Path) -> None:
    assert training_of(reference, home) is None


def test_a_file_that_has_a_colon_in_its_name_is_a_file(home: Path) -> None:
    Path("of:june").write_bytes(b"")
    assert training_of("of:june", home) is None


def test_a_pickle_is_opened_with_a_warning_that_it_runs_code(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = home / "model.pkl"
    path.write_bytes(pickle.dumps({"a": 1}))
    assert open_model(path, home) == {"a": 1}
    told = capsys.readouterr().err
    assert told.startswith(f"warning: {path} is a pickle: opening it runs code that is in it")


def test_a_joblib_file_is_opened_with_the_same_warning(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    joblib = pytest.importorskip("joblib")
    path = home / "model.joblib"
    joblib.dump({"a": 1}, path)
    assert open_model(path, home) == {"a": 1}
    assert "is a joblib file: opening it runs code that is in it" in capsys.readouterr().err


def test_a_pickle_of_the_projects_own_class_is_opened(home: Path) -> None:
    (home / "own_model.py").write_text("class Mine:\n    pass\n")
    path = home / "model.pickle"
    script = f"import pickle, own_model; open({str(path)!r}, 'wb').write(pickle.dumps(own_model.Mine()))"
    subprocess.run([sys.executable, "-c", script], cwd=home, check=True)
    assert type(open_model(path, home)).__name__ == "Mine"


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps([1, 2, 3])[:-4]])
def test_a_broken_pickle_is_refused(content: bytes, home: Path) -> None:
    path = home / "model.pkl"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r'model.pkl": '):  # with no place: no line of the user's is at fault
        open_model(path, home)


@pytest.mark.parametrize("content", [b"", b"not a model", b"tree\nversion=v4\n"])
def test_a_text_that_is_no_lightgbm_model_is_refused(content: bytes, home: Path) -> None:
    path = home / "model.txt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model.txt: (not a LightGBM model|LightGBM cannot read it)"):
        open_model(path, home)


def test_a_lightgbm_text_is_opened(home: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    rows = np.arange(50.0)
    data = lightgbm.Dataset(rows[:, None], rows, params={"verbose": -1})
    booster = lightgbm.train({"verbose": -1, "min_data_in_leaf": 5}, data, num_boost_round=2)
    booster.save_model(home / "model.txt")
    opened = open_model(home / "model.txt", home)
    assert isinstance(opened, lightgbm.Booster)


@pytest.mark.parametrize("name", ["model.json", "model.ubj"])
def test_a_file_of_xgboost_is_opened(home: Path, name: str) -> None:
    xgboost = pytest.importorskip("xgboost")
    rows = np.arange(50.0)
    xgboost.XGBRegressor(n_estimators=2).fit(rows[:, None], rows).save_model(home / name)
    assert isinstance(open_model(home / name, home), xgboost.Booster)
    (home / name).write_bytes(b"{}" if name.endswith("json") else b"{")
    with pytest.raises(ModelError, match=rf"{name}: (JSON of something else|XGBoost cannot read it)"):
        open_model(home / name, home)


def test_a_file_of_catboost_is_opened_and_its_json_brings_the_texts(home: Path) -> None:
    catboost = pytest.importorskip("catboost")
    pool = catboost.Pool([["a", 1.0], ["b", 2.0], ["a", 3.0], ["c", 4.0]], [1, 2, 1, 3], cat_features=[0])
    model = catboost.CatBoostRegressor(iterations=2, verbose=0, allow_writing_files=False).fit(pool)
    model.save_model(str(home / "model.cbm"))
    model.save_model(str(home / "model.json"), format="json", pool=pool)
    assert isinstance(open_model(home / "model.cbm", home), catboost.CatBoost)
    opened: Any = open_model(home / "model.json", home)
    assert sorted(json.loads(opened.get_metadata()["unisono.categories"])["0"]) == ["a", "b", "c"]
    (home / "model.cbm").write_bytes(b"CBM1")
    with pytest.raises(ModelError, match=r"model.cbm: CatBoost cannot read it"):
        open_model(home / "model.cbm", home)


def test_a_json_that_is_none_is_refused(home: Path) -> None:
    (home / "model.json").write_text("[1, 2")
    with pytest.raises(ModelError, match=r"model.json: not JSON .*; allowed: what XGBoost or CatBoost saved"):
        open_model(home / "model.json", home)


def test_an_onnx_file_is_its_bytes(home: Path) -> None:
    (home / "model.onnx").write_bytes(b"some bytes")
    assert open_model(home / "model.onnx", home) == b"some bytes"


def test_a_folder_of_mlflow_is_opened_with_the_warning(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("yaml")
    folder = home / "model"
    folder.mkdir()
    with pytest.raises(ModelError, match=r"a folder without an MLmodel or a config\.json; allowed: one that MLflow"):
        open_model(folder, home)
    (folder / "model.pkl").write_bytes(pickle.dumps({"a": 1}))
    (folder / "MLmodel").write_text("flavors: {sklearn: {pickled_model: model.pkl}}\n")
    opened: Any = open_model(folder, home)
    assert (opened.model, opened.columns) == ({"a": 1}, ())
    assert "model.pkl is a pickle: opening it runs code that is in it" in capsys.readouterr().err


def test_a_file_of_another_kind_or_that_is_not_there_is_refused(home: Path) -> None:
    kinds = r"\(.txt, .json, .ubj, .cbm, .onnx, .pkl, .pickle, .joblib\)"
    allowed = rf"MODULE:FUNCTION, FILE.py:FUNCTION, a file {kinds}, or a folder of MLflow or save_pretrained"
    with pytest.raises(ModelError, match=f"a file of another kind; allowed: {allowed}"):
        open_model(Path("model.h5"), home)
    (home / "model.txt").write_bytes(b"tree")
    with pytest.raises(ModelError, match=r"there is no such file; .*did you mean .*home/model.txt\?"):
        open_model(Path("model.txt"), home)
