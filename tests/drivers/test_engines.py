"""An engine answers for a version if it passes its golden rows, and then with the same bits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from tests.drivers.projects import INPUTS, make_project, register
from unisono.drivers.project import Project
from unisono.models import engines as ways
from unisono.models.engines import Engine, engines
from unisono.models.session import Run
from unisono.models.verifying.classes import NumericClass
from unisono.spec.errors import InputError, ModelError


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
