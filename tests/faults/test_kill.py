"""kill -9 of `unisono stream` at random instants: nothing is lost, nothing is counted twice.

UNISONO_ROUNDS: quick kills 3 times, test 8 times, soak 50 times, and 50 times over the year of flights.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import polars as pl
import pytest

import unisono as un
from tests.drivers.projects import make_project, register
from tests.faults.kills import Victim, kill_and_compare, wait
from unisono.connect.log import Log
from unisono.drivers.project import Project

KILLS = {"quick": 3, "test": 8, "soak": 50}[os.environ.get("UNISONO_ROUNDS", "test")]
FLIGHTS = Path(__file__).parents[2] / "examples" / "flights"


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Victim:
    project = make_project(tmp_path_factory.mktemp("kill"), events=2000 + 100 * KILLS, requests=1000 + 100 * KILLS)
    register(project)
    return Victim(project, "risk", batch=20)


@pytest.mark.slow
def test_a_killed_stream_ends_as_an_undisturbed_one(victim: Victim, tmp_path: Path) -> None:
    kill_and_compare(victim, KILLS, tmp_path)


@pytest.mark.slow
def test_an_interrupted_stream_stops_after_a_commit_and_says_so(victim: Victim) -> None:
    project = victim.project
    shutil.rmtree(project.store_path / "streams", ignore_errors=True)
    process = victim.run()
    while process.poll() is None and victim.answered() < 50:
        wait(process, 0.002)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    with project.open_stream("risk") as stream:
        assert 0 < stream.position < Log(project.log_path).end.position


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_flights_stream_survives_as_many_kills(tmp_path: Path) -> None:
    if not (FLIGHTS / "data" / "flights.parquet").exists():
        pytest.skip("the flights are not there; `make demo` fetches them")
    for name in ("unisono.toml", "definitions.py"):
        shutil.copy(FLIGHTS / name, tmp_path)
    (tmp_path / "data").symlink_to(FLIGHTS / "data")
    project = un.load(tmp_path)
    _register_small_model(project)
    kill_and_compare(Victim(project, "delay", batch=2048), KILLS, tmp_path)


def _register_small_model(project: Project) -> None:
    from lightgbm import LGBMClassifier

    asked = project.requests("delay").slice(0, 20_000)
    frame = project.training_frame("delay", asked).filter(pl.col("late").is_not_null())
    inputs = ["hour", "distance", "by_carrier__arr_delay_mean_6h", "by_origin__count_1h", "spare_minutes"]
    table = frame.select(pl.col(inputs).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    model = LGBMClassifier(n_estimators=10, num_leaves=8, verbose=-1, n_jobs=1)
    model.fit(table, frame.get_column("late").to_numpy(), feature_name=inputs)
    project.register("delay", model, sample=frame)
