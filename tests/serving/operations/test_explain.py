"""What is told of a request is what the predictor does with it."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from tests.drivers.projects import make_project, register
from unisono.drivers.project import Project
from unisono.drivers.serving.operations.explain import explain
from unisono.spec.errors import InputError, StoreError


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("explained") / "p")
    register(project)
    project.stream("risk")
    return project


@pytest.mark.slow
def test_an_explanation_has_the_features_and_the_answer_that_the_predictor_gives(project: Project) -> None:
    last = project.states("risk").last
    asked = pl.Series([last.time]).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")[0]
    body = json.dumps({"user": "u1", "shop": 1, "asked_at": asked}).encode()
    told = explain(project, "risk", body)
    answer = project.online("risk").answer(body)
    assert told.answer["prediction"] == answer.prediction
    assert (told.version, told.position) == (answer.version, last.position)
    features = [value for view in told.views for value in view.features.values()]
    requests = pl.DataFrame({"user": ["u1"], "shop": [1], "asked_at": [asked]}).with_columns(
        pl.col("asked_at").str.to_datetime(time_unit="us", time_zone="UTC")
    )
    frame = project.training_frame("risk", requests)
    names = project.ready("risk").feature_names
    assert [name for view in told.views for name in view.features] == list(names)
    assert features == list(frame.select(pl.col(names).cast(pl.Float64)).row(0))
    assert list(told.took_us) == ["decode", "features", "model", "encode", "total"]
    assert all(took_us > 0 for took_us in told.took_us.values())


def test_a_key_that_nothing_has_happened_to_is_said_to_have_no_state(project: Project) -> None:
    told = explain(project, None, b'{"user": "nobody", "shop": 1}')
    by_user, by_both = told.views
    assert (by_user.key, by_user.found, by_user.state_bytes) == ({"user": "nobody"}, False, 0)
    assert by_user.features["by_user__count_1h"] == 0 and by_user.features["by_user__cents_mean_1h"] is None
    assert by_both.key == {"user": "nobody", "shop": 1}


def test_it_can_be_printed_for_people_and_for_machines(project: Project) -> None:
    told = explain(project, None, b'{"user": "u1", "shop": 1}')
    assert json.loads(told.as_json())["views"][0]["features"].keys() == told.views[0].features.keys()
    console = Console(width=120, record=True, file=StringIO())
    for part in told.shown():
        console.print(part)
    text = console.export_text()
    for shown in (told.version, "by_user: user = u1", "by_user__count_1h", "features", "probability"):
        assert shown in text


def test_wrong_requests_and_names_are_refused(project: Project, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing required field `shop`"):
        explain(project, "risk", b'{"user": "u1"}')
    with pytest.raises(InputError, match='did you mean "risk"'):
        explain(project, "rask", b"{}")
    empty = make_project(tmp_path / "empty", events=20, requests=5)
    with pytest.raises(InputError, match="no predictor was named; allowed: none"):
        explain(empty, None, b"{}")
    with pytest.raises(StoreError):
        explain(empty, "risk", b"{}")
