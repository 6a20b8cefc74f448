"""An engine answers for a version if it passes its golden rows, and then with the same bits."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from tests.cli.shell import unisono
from tests.drivers.projects import INPUTS, make_project, register
from unisono.drivers.batch import run_batch
from unisono.drivers.project import Project, load
from unisono.models import engines as ways
from unisono.models.engines import Engine, engines
from unisono.models.session import Run
from unisono.models.verifying.classes import NumericClass
from unisono.spec.errors import InputError, ModelError

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make_project(tmp_path / "project")
    register(made)
    return made


class _Shifted:
    """An engine that adds something to every number of a row, but for the first row of a batch."""

    numeric_class: NumericClass = "bounded"

    def __init__(self, by: float) -> None:
        self._by = by

    def open(self, graph: bytes, reference: Run) -> Run:
        def run(feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
            return [_shifted(one, self._by) for one in reference(feeds)]

        return run


def _shifted(answers: NDArray[Any], by: float) -> NDArray[Any]:
    if answers.dtype.kind != "f":
        return answers
    return np.concatenate([answers[:1], answers[1:] + by])


def _install(monkeypatch: pytest.MonkeyPatch, **more: Engine) -> None:
    found = MappingProxyType({**engines(), **more})
    monkeypatch.setattr(ways, "engines", lambda: found)


def test_predictions_have_the_same_bits_with_either_engine(project: Project) -> None:
    wanted = project.predict("risk")
    assert project.predict("risk", engine="trees").equals(wanted)
    assert project.predict("risk", engine="onnxruntime").equals(wanted)


def test_a_scorer_says_what_runs_its_graph(project: Project) -> None:
    plain, trees = project.scorer("risk"), project.scorer("risk", engine="trees")
    assert (plain.engine, plain.engine_class) == ("onnxruntime", "exact")
    assert (trees.engine, trees.engine_class) == ("trees", "exact")


def test_an_engine_that_fails_the_golden_rows_does_not_answer(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(monkeypatch, shifted=_Shifted(1e-12))
    message = r'engine "shifted", version \w+: golden rows: row 1, probability.*; use engine "onnxruntime"'
    with pytest.raises(ModelError, match=message):
        project.scorer("risk", engine="shifted")


def test_an_engine_that_passes_them_does(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, shifted=_Shifted(0.0))
    scorer = project.scorer("risk", engine="shifted")
    assert (scorer.engine, scorer.engine_class) == ("shifted", "bounded")


def test_a_model_without_trees_is_left_to_the_reference(project: Project) -> None:
    frame = project.training_frame("risk").drop_nulls([*INPUTS, "dear"])
    model = LinearRegression().fit(frame.select(INPUTS).to_pandas(), frame["dear"].cast(float).to_numpy())
    project.register("risk", model, sample=frame)
    with pytest.raises(ModelError, match='engine "trees": cannot run this graph: it has no TreeEnsemble'):
        project.predict("risk", engine="trees")
    assert project.predict("risk").height


def test_an_unknown_engine_is_refused(project: Project) -> None:
    with pytest.raises(InputError, match='engine "tree": there is none; allowed: onnxruntime, trees'):
        project.predict("risk", engine="tree")


def test_a_batch_run_writes_the_same_table_with_either_engine(project: Project, tmp_path: Path) -> None:
    reports = {
        name: run_batch(project, "risk", None, tmp_path / f"{name}.parquet", engine=name)
        for name in ("onnxruntime", "trees")
    }
    assert {name: one.engines for name, one in reports.items()} == {name: {"risk": name} for name in reports}
    wanted, found = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in reports)
    assert found.equals(wanted)


def test_an_engine_of_class_exact_goes_on_with_the_run_of_another(project: Project, tmp_path: Path) -> None:
    out = tmp_path / "scores.parquet"
    first, second = (run_batch(project, "risk", None, out, engine=name) for name in ("onnxruntime", "trees"))
    assert (second.run_id, second.is_repeated, second.engines) == (first.run_id, True, {})


def test_an_engine_of_class_bounded_has_runs_of_its_own(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(monkeypatch, shifted=_Shifted(0.0))
    out = tmp_path / "scores.parquet"
    first, second = (run_batch(project, "risk", None, out, engine=name) for name in ("trees", "shifted"))
    assert second.run_id != first.run_id
    assert not second.is_repeated


def test_the_projects_file_says_which_engine_scores_tables(project: Project, tmp_path: Path) -> None:
    with (project.root / "unisono.toml").open("a") as file:
        file.write('\n[engines]\nrisk = "trees"\n')
    again = load(project.root)
    assert run_batch(again, "risk", None, tmp_path / "scores.parquet").engines == {"risk": "trees"}
    assert again.scorer("risk").engine == "onnxruntime"


def test_the_projects_file_says_which_engine_answers_in_a_stream(project: Project, tmp_path: Path) -> None:
    wanted = _streamed(project)
    with (project.root / "unisono.toml").open("a") as file:
        file.write('\n[stream.engines]\nrisk = "openvino"\n')
    with pytest.raises(ModelError, match='engine "openvino": cannot run this graph: it has no network'):
        load(project.root).open_stream("risk")
    (project.root / "unisono.toml").write_text((project.root / "unisono.toml").read_text().replace("openvino", "trees"))
    shutil.rmtree(project.store_path / "streams")
    assert _streamed(load(project.root)).equals(wanted)


def _streamed(project: Project) -> pl.DataFrame:
    project.stream("risk")
    return project.predictions("risk")


@pytest.mark.parametrize("section", ["engines", "stream.engines"])
def test_an_engine_for_a_predictor_that_is_not_defined_is_refused(project: Project, section: str) -> None:
    with (project.root / "unisono.toml").open("a") as file:
        file.write(f'\n[{section}]\nrisc = "trees"\n')
    with pytest.raises(InputError, match=rf'\[{section}\] "risc" is not defined; allowed: risk'):
        load(project.root)


def test_the_command_takes_an_engine_and_says_which_one_it_was(project: Project, tmp_path: Path) -> None:
    predict = ("predict", "risk", "--json", "--engine", "trees")
    shown = unisono(*predict, folder=project.root)
    written = unisono(*predict, "--out", tmp_path / "scores.parquet", folder=project.root)
    assert [one.answer["engines"] for one in (shown, written)] == [{"risk": "trees"}] * 2
    later = unisono(*predict, "--out", tmp_path / "scores.parquet", "--every", "0 3 * * *", folder=project.root)
    assert later.exit_code == InputError.exit_code
    assert "[engines]" in later.err
