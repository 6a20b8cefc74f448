"""A server runs a predictor's graphs by the engine that unisono.toml names, and says what is wrong with one."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import polars as pl
import pytest

import unisono as un
from examples.compress import rooms
from tests.cli.shell import running, unisono
from unisono.drivers.online.plan import plan_of
from unisono.drivers.project import Project
from unisono.drivers.serving.prepared import load
from unisono.drivers.serving.start import watcher_of
from unisono.models.engines.openvino import BOUND
from unisono.spec.errors import InputError

pytestmark = pytest.mark.slow  # a network is exported, processes start
CONFIG = 'definitions = "definitions.py"\n\n[serve.models.comfort]\nengine = "{}"\n'


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """With a network, which OpenVINO is to run."""
    root = tmp_path_factory.mktemp("comfort")
    (root / "definitions.py").write_text(Path(rooms.__file__).with_name("definitions.py").read_text("utf-8"))
    (root / "unisono.toml").write_text(CONFIG.format("openvino"))
    made = un.load(root)
    frame = rooms.rooms(400)
    made.register("comfort", rooms.fit(frame), sample=frame.select(rooms.COLUMNS))
    return made


def test_a_version_is_prepared_for_the_engine_that_is_named(project: Project) -> None:
    plan = plan_of(project.ready("comfort"))
    (routes,) = watcher_of(project, {"comfort": plan}, lambda event: None).look()
    (path,) = routes.versions.values()
    scorer = load(Path(path), plan)
    assert (scorer.engine, scorer.numeric_class) == ("openvino", "bounded")
    assert scorer.size_bytes > 0


def test_the_server_answers_as_near_as_the_engine_says(project: Project) -> None:
    asked = rooms.rooms(1, seed=5).select(rooms.COLUMNS)
    wanted = project.predict("comfort", asked.with_columns(asked_at=pl.datetime(2026, 1, 1, time_zone="UTC"))).row(
        0, named=True
    )
    with running("serve", "--port", 0, "--workers", 1, "--json", folder=project.root) as server:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        request = urllib.request.Request(f"{url}/predict/comfort", json.dumps(asked.row(0, named=True)).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = json.load(answer)["prediction"]
    assert found["prediction"] == wanted["prediction"]
    assert abs(found["probability"] - wanted["probability"]) <= BOUND


def test_an_engine_that_is_not_there_is_refused_at_the_start(project: Project) -> None:
    config = project.root / "unisono.toml"
    config.write_text(CONFIG.format("opnvino"))
    try:
        refused = unisono("serve", "--port", 0, folder=project.root)
    finally:
        config.write_text(CONFIG.format("openvino"))
    assert refused.exit_code == InputError.exit_code
    assert 'engine "opnvino": there is none; allowed: onnxruntime' in refused.err
    assert "openvino" in refused.err
