"""What becomes of a fitted model: an artifact with everything in it, the same bytes each time, on the user's terms."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn import metrics as known_metrics

import unisono as un
from tests.drivers.projects import INPUTS, make_project, register
from unisono import __version__
from unisono.drivers.project import Project
from unisono.drivers.registering import Registered
from unisono.models import GoldenRows, read_passport
from unisono.spec.ids import content_id
from unisono.store.artifacts import read_artifact
from unisono.store.artifacts.signing import new_key_pair

HOME = Path(__file__).parents[2]
SAYS_ITS_HASH = """
import sys
from hashlib import sha256
from pathlib import Path
from tests.drivers.projects import make_project, register

project = make_project(Path(sys.argv[1]))
register(project)
artifact = project.registry.artifact(project.registry.active("risk"))
print(artifact.id, sha256(artifact.to_bytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("registering"))


@pytest.fixture(scope="module")
def frame(project: Project) -> pl.DataFrame:
    return project.training_frame("risk")


@pytest.fixture(scope="module")
def model(frame: pl.DataFrame) -> Any:
    from lightgbm import LGBMClassifier

    rows = frame.filter(pl.col("dear").is_not_null())
    made = LGBMClassifier(n_estimators=4, num_leaves=4, min_data_in_leaf=5, verbose=-1, n_jobs=1)
    table = rows.select(pl.col(INPUTS).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    return made.fit(table, rows["dear"].to_numpy(), feature_name=INPUTS)


@pytest.fixture(scope="module")
def registered(project: Project, frame: pl.DataFrame, model: Any) -> Registered:
    return project.register("risk", model, sample=frame, metrics={"cost": 12.5}, by="ada", why="the first")


def document(project: Project, registered: Registered, name: str) -> Any:
    return json.loads(project.registry.read(registered.version, name))


def test_the_artifact_has_every_part(project: Project, registered: Registered) -> None:
    files = project.registry.artifact(registered.version).files
    assert sorted(files) == [
        *("golden.json", "graph.onnx", "lineage.json", "metrics.json", "passport.json", "spec.json")
    ]
    passport = read_passport(files["passport.json"])
    golden = GoldenRows.from_bytes(files["golden.json"])
    assert passport.target().golden_rows == golden.rows == 64
    assert passport.target().numeric_class == "exact"
    assert passport.target().verification.edges > 100
    assert any(np.isnan(one).any() for one in golden.inputs.values() if one.dtype.kind == "f")


def test_it_is_told_in_one_line(registered: Registered) -> None:
    line = str(registered)
    assert line.startswith(f"risk {registered.version.id[:12]}, champion: ") and line.count("\n") == 0
    assert line.endswith(f" on {registered.verification.rows + registered.verification.edges:,} rows; exact")


def test_metrics_are_of_the_rows_whose_truth_is_known(
    project: Project, registered: Registered, frame: pl.DataFrame, model: Any
) -> None:
    found = document(project, registered, "metrics.json")
    labelled = frame.filter(pl.col("dear").is_not_null())
    table = labelled.select(pl.col(INPUTS).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    chance = model.booster_.predict(table)
    truth = labelled["dear"].to_numpy()
    assert (found["label"], found["rows"]) == ("dear", labelled.height)
    assert found["given"] == {"cost": 12.5}
    assert found["values"]["auc"] == pytest.approx(known_metrics.roc_auc_score(truth, chance), rel=1e-9)
    assert found["values"]["log_loss"] == pytest.approx(known_metrics.log_loss(truth, chance), rel=1e-9)
    assert registered.metrics.values == found["values"]


def test_the_lineage_names_data_definitions_and_libraries(
    project: Project, registered: Registered, frame: pl.DataFrame
) -> None:
    found = document(project, registered, "lineage.json")
    ready = project.ready("risk")
    assert found["predictor"] == content_id(ready.spec, ready.graphs)
    assert found["sources"] == {"taps": content_id(ready.spec.sources["taps"], ready.graphs)}
    assert set(found["views"]) == {"by_user", "by_both"}
    first, last = frame["asked_at"].min(), frame["asked_at"].max()
    assert found["sample"]["rows"] == frame.height
    assert [pl.Series([found["sample"][name]]).str.to_datetime(time_zone="UTC")[0] for name in ("first", "last")] == [
        first,
        last,
    ]
    assert found["model"].startswith("lightgbm ")
    assert found["versions"]["unisono"] == __version__
    assert found["git"] is None


def test_the_history_says_who_and_why(project: Project, registered: Registered) -> None:
    changes = [one for one in project.registry.history("risk") if one.by == "ada"]
    assert len(changes) == 2 and {one.why for one in changes} == {"the first"}
    assert registered.alias == "champion"
    assert project.registry.active("risk") == registered.version


def test_without_an_alias_nothing_changes_for_who_asks(
    project: Project, registered: Registered, frame: pl.DataFrame, model: Any
) -> None:
    other = project.register("risk", model, sample=frame[:50], alias=None)
    assert other.version != registered.version and other.alias is None
    assert project.registry.active("risk") == registered.version
    third = project.register("risk", model, sample=frame[:60], alias="challenger")
    assert project.registry.aliased("risk", "challenger") == third.version
    assert project.registry.active("risk") == registered.version


def test_a_signed_artifact_is_the_same_version(
    project: Project, registered: Registered, frame: pl.DataFrame, model: Any
) -> None:
    pair = new_key_pair()
    signed = project.register("risk", model, sample=frame, metrics={"cost": 12.5}, key=pair.private)
    assert signed.version == registered.version
    assert len(signed.signed_by) == 1
    content = project.registry.artifact(signed.version).to_bytes()
    assert read_artifact(content, trusted=[pair.public]).id == signed.version.id
    with pytest.raises(un.InputError, match="private key: "):  # before the model is looked at
        project.register("risk", {"no": "model"}, sample=frame, key=b"no key")


def test_a_refused_model_leaves_nothing(project: Project, frame: pl.DataFrame, model: Any) -> None:
    before = project.registry.history("risk") if project.registry.predictors() else []
    with pytest.raises(un.InputError, match="metric cost: "):
        project.register("risk", model, sample=frame, metrics={"cost": float("nan")})
    with pytest.raises(un.ModelError):
        project.register("risk", {"no": "model"}, sample=frame)
    assert (project.registry.history("risk") if before else []) == before


@pytest.mark.slow
def test_the_commit_of_the_project_is_in_the_lineage(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", "definitions.py")
    _git(tmp_path, "commit", "-q", "-m", "definitions")
    register(project)
    found = json.loads(project.registry.read(project.registry.active("risk"), "lineage.json"))["git"]
    assert found == {"commit": _git(tmp_path, "rev-parse", "HEAD"), "is_changed": False}
    (tmp_path / "definitions.py").write_text((tmp_path / "definitions.py").read_text() + "\n# a note\n")
    register(project)
    found = json.loads(project.registry.read(project.registry.active("risk"), "lineage.json"))["git"]
    assert found["is_changed"] is True


def _git(folder: Path, *arguments: str) -> str:
    name = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"]
    done = subprocess.run(["git", *name, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.slow
def test_equal_inputs_give_equal_bytes_in_every_process(tmp_path: Path) -> None:
    said = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(HOME)}
        command = [sys.executable, "-W", "ignore", "-c", SAYS_ITS_HASH, str(tmp_path / seed)]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        said.append(done.stdout.split()[-2:])
    assert said[0] == said[1]
    assert len(said[0][1]) == len(sha256().hexdigest())
