"""A real server counts and writes down what it answers, also while its processes are killed."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import unisono as un
from benchmarks.serving.processes import usage_of
from tests.drivers.schedule.worlds import wait_for
from tests.serving.load.served import PATH, ServedProject, make_served_project, request_body, serving
from unisono.features.answers import matrix
from unisono.store.predictions import feature_matrix

pytestmark = pytest.mark.slow

SETTINGS = """
[serve.workers]
count = 2
[serve.log]
predictions = true
flush_s = 0.2
[serve.access]
path = "access.jsonl"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_served_project(tmp_path_factory.mktemp("operated") / "project")


@pytest.fixture
def server(folder: Path) -> Iterator[ServedProject]:
    with serving(folder, SETTINGS) as server:
        yield server


def get(server: ServedProject, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=60) as response:
        return str(response.read().decode())


def ask(server: ServedProject, number: int) -> int:
    """Status of a request."""
    headers = {"x-request-id": f"r{number}"}
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{PATH}", request_body(number), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return int(response.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:  # a worker was killed
        return 0


def metric(server: ServedProject, name: str, **labels: str) -> float:
    """The sum of the samples of a name that have these labels; 0 if nobody answers now."""
    try:
        text = get(server, "/metrics")
    except OSError:
        return 0.0
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"unisono_{name}" and labels.items() <= sample.labels.items()
    )


def pids(server: ServedProject, module: str) -> list[int]:
    """The processes of a server that run a module."""
    return [pid for pid in usage_of(server.pid).cpu_s if module in Path(f"/proc/{pid}/cmdline").read_text()]


def test_what_was_served_is_what_the_batch_driver_says_bit_for_bit(folder: Path, server: ServedProject) -> None:
    assert [ask(server, number) for number in range(60)] == [200] * 60
    wait_for(lambda: metric(server, "prediction_log_rows_total", outcome="written") == 60)
    assert metric(server, "requests_total", predictor="risk", protocol="predict", status="200") == 60
    assert metric(server, "rows_total", predictor="risk") == 60
    assert metric(server, "state_position", predictor="risk") > 0
    project = un.load(folder)
    rows = project.served("risk")
    asked = rows.select("user", "shop", "asked_at")
    assert rows.get_column("prediction.probability").equals(
        project.predict("risk", asked).get_column("probability").alias("prediction.probability")
    )
    features = matrix(project.training_frame("risk", asked), project.ready("risk").feature_names)
    assert feature_matrix(rows, features.shape[1]).tobytes() == features.tobytes()
    assert rows.columns == project.predictions("risk").columns
    ids = project.served("risk", details=True).get_column("served.request_id").to_list()
    assert sorted(ids) == sorted(f"r{number}" for number in range(60))
    lines = [json.loads(line) for line in (folder / "access.jsonl").read_text().splitlines()]
    assert sorted(line["request_id"] for line in lines if line["protocol"] == "predict") == sorted(ids)


def test_counts_go_on_when_a_worker_and_the_writer_are_killed(server: ServedProject) -> None:
    assert [ask(server, number) for number in range(20)] == [200] * 20
    wait_for(lambda: metric(server, "prediction_log_rows_total", outcome="written") == 20)
    (writer,) = pids(server, "operations.writer")
    os.kill(writer, signal.SIGKILL)
    for worker in pids(server, "workers.worker"):
        before = metric(server, "worker_restarts_total")
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda before=before: metric(server, "worker_restarts_total") == before + 1)  # type: ignore[misc]
    wait_for(lambda: ask(server, 0) == 200 and len(pids(server, "operations.writer")) == 1)
    wait_for(lambda: metric(server, "requests_total", predictor="risk", status="200") > 20)
    wait_for(
        lambda: (
            metric(server, "prediction_log_rows_total") == metric(server, "rows_total", predictor="risk")
            and metric(server, "prediction_log_rows_total", outcome="dropped") == 0
        )
    )


def test_a_reload_begins_another_access_log(folder: Path, server: ServedProject) -> None:
    assert ask(server, 1) == 200
    path = folder / "access.jsonl"
    wait_for(lambda: b"r1" in path.read_bytes())
    moved = path.rename(folder / "access.1")
    os.kill(server.pid, signal.SIGHUP)
    wait_for(path.exists)
    wait_for(lambda: ask(server, 2) == 200 and b"r2" in path.read_bytes())
    assert b"r1" in moved.read_bytes()
