"""Schedules of a real project: what they write, what triggers them, sinks that fail, processes that die."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import unisono as un
from tests.drivers.projects import make_project, register
from tests.drivers.schedule.worlds import HOUR, MINUTE, NOON, World, a_schedule, a_world, finish, wait_for
from tests.postgres import Postgres
from unisono.drivers.project import Project
from unisono.drivers.schedule.attempt import Stopped
from unisono.drivers.schedule.opening import open_runs
from unisono.drivers.schedule.scheduler import Scheduler, utc_now
from unisono.drivers.schedule.settings import Schedule
from unisono.drivers.schedule.work import Batches
from unisono.spec.progress import Progress
from unisono.store.runs import Outcome, Run, Runs, State

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a version; tests work on copies."""
    project = make_project(tmp_path_factory.mktemp("scheduled") / "risk")
    register(project)
    return project


@pytest.fixture
def project(model: Project, tmp_path: Path) -> Project:
    """A copy of it."""
    import shutil

    shutil.copytree(model.root, tmp_path / "risk")
    return un.load(tmp_path / "risk")


@contextmanager
def world_of(project: Project, *schedules: Schedule) -> Iterator[World]:
    """Schedulers that do real batches, on a clock that the test moves."""
    batches = Batches(project, {one.key: one for one in schedules})
    with a_world(project.root / "runs.db", *schedules, project=project, batches=batches) as world:
        yield world


def done(world: World) -> list[Run]:
    """The runs that are done."""
    return [run for run in world.history() if run.state is State.DONE]


def test_each_run_writes_a_table_of_its_instant(project: Project) -> None:
    with (project.root / "unisono.toml").open("a") as file:
        file.write('[cost]\nper_cpu_hour = 36.0\ncurrency = "EUR"\n')
    project = un.load(project.root)
    with world_of(project, a_schedule(out="scores/{scheduled:%Y/%m}/{date}T{time}.parquet", catch_up="all")) as world:
        finish(world.scheduler())
        world.now = NOON + 2 * HOUR
        finish(world.scheduler())
        runs = done(world)
        assert [run.output for run in runs] == [
            str(project.root / "scores/2026/11" / f"2026-11-26T{hour}00.parquet") for hour in (13, 14)
        ]
        wanted = project.predict("risk")
        for run in runs:
            assert_frame_equal(pl.read_parquet(str(run.output)), wanted)
            assert run.rows == wanted.height
            assert run.versions == (project.registry.active("risk").id,)
            assert run.seconds and run.cpu_seconds and run.cost == pytest.approx(run.cpu_seconds / 100)
            assert run.currency == "EUR"


def test_a_sink_that_fails_is_tried_again_until_it_is_well(project: Project) -> None:
    with world_of(project, a_schedule(out="scores/{date}.parquet", retry_delay="1m")) as world:
        scores = project.root / "scores"
        scores.write_text("a file where a folder should be")
        scheduler = world.scheduler()
        world.now = NOON + HOUR
        finish(scheduler)
        (run,) = world.history()
        assert (run.state, run.failures, run.retry_at) == (State.FAILED, 1, world.now + MINUTE)
        assert "scores" in str(run.error)
        scores.unlink()
        finish(scheduler)
        assert world.states() == ["13 failed"]
        world.now += MINUTE
        finish(scheduler)
        (run,) = world.history()
        assert (run.state, run.failures, run.error) == (State.DONE, 1, None)
        assert_frame_equal(pl.read_parquet(scores / "2026-11-26.parquet"), project.predict("risk"))


def test_a_run_that_was_stopped_is_about_what_is_there_when_it_is_done(project: Project) -> None:
    requests = project.root / "data/requests.parquet"
    with world_of(project, a_schedule(out="scores.parquet")) as world:
        world.scheduler()
        world.now = NOON + HOUR
        stopped = world.scheduler()

        def stop_at_the_first_part(run: Run, progress: Progress) -> Outcome:
            def report(what: str, done: int, total: int | None) -> None:
                if done:
                    raise Stopped
                progress(what, done, total)

            return Batches(project, world.schedules)(run, report)

        stopped.work = stop_at_the_first_part
        finish_one(stopped)
        assert world.states() == ["13 queued"]
        pl.read_parquet(requests).head(50).write_parquet(requests)
        finish(world.scheduler())
        assert [(run.state, run.rows, run.failures) for run in world.history()] == [(State.DONE, 50, 0)]
        assert_frame_equal(pl.read_parquet(project.root / "scores.parquet"), project.predict("risk"))


def finish_one(scheduler: Scheduler) -> None:
    """Let a scheduler do one run."""
    scheduler.step()
    scheduler.settle()


def test_definitions_may_change_between_runs_and_wrong_ones_are_given_up(project: Project) -> None:
    with world_of(project, a_schedule()) as world:
        scheduler = world.scheduler()
        (project.root / "definitions.py").write_text("import nothing_like_it\n")
        world.now = NOON + HOUR
        finish(scheduler)
        assert world.states() == ["13 gave up"]
        assert "nothing_like_it" in str(world.history()[0].error)


def test_new_data_is_scored_once_it_is_quiet_and_once_only(project: Project) -> None:
    requests, events = project.root / "data/requests.parquet", project.root / "data/taps.parquet"
    with world_of(project, a_schedule("fresh", on_new_data=True, debounce="30s", out="fresh.parquet")) as world:

        def look(seconds: int, *, again: bool = False) -> int:
            scheduler = world.scheduler("a new one") if again else schedulers[-1]
            schedulers.append(scheduler)
            world.now += timedelta(seconds=seconds)
            scheduler.step()
            scheduler.settle()
            return len(done(world))

        schedulers = [world.scheduler()]
        assert [look(0), look(28), look(2), look(60)] == [0, 0, 1, 1]
        table = pl.read_parquet(requests)
        table.head(50).write_parquet(requests)
        assert [look(10), look(25)] == [1, 1]
        table.head(40).write_parquet(requests)  # still being written: its time of quiet begins again
        assert [look(10), look(25), look(5)] == [1, 1, 2]
        assert pl.read_parquet(project.root / "fresh.parquet").height == 40
        assert [look(60, again=True), look(60)] == [2, 2]
        pl.read_parquet(events).head(100).write_parquet(events)
        assert [look(10), look(30)] == [2, 3]
        requests.unlink()
        assert [look(10), look(60)] == [3, 3]
        assert {run.trigger for run in done(world)} == {"data"}


def test_data_that_changes_during_a_run_is_scored_after_it(project: Project) -> None:
    requests = project.root / "data/requests.parquet"
    with a_world(
        project.root / "runs.db", a_schedule("fresh", on_new_data=True, debounce="1s"), project=project
    ) as world:
        world.work.holds_all = True
        scheduler = world.scheduler()
        for seconds in (0, 2):
            world.now += timedelta(seconds=seconds)
            scheduler.step()
        wait_for(lambda: len(world.work.begun) == 1)
        pl.read_parquet(requests).head(50).write_parquet(requests)
        for _ in range(5):
            world.now += timedelta(seconds=2)
            scheduler.step()
        assert len(world.history()) == 1
        world.work.holds_all = False
        world.work.go.set()
        scheduler.settle()
        world.now += timedelta(seconds=2)
        scheduler.step()
        scheduler.settle()
        assert len(done(world)) == 2


def test_a_new_version_is_scored_with(project: Project) -> None:
    with world_of(project, a_schedule("champion", on_new_version=True, out="{run_id}.parquet")) as world:
        scheduler = world.scheduler()
        first = project.registry.active("risk")
        finish(scheduler)
        world.now += MINUTE
        finish(scheduler)
        assert [run.versions for run in done(world)] == [(first.id,)]
        second = register_another(project)
        for version in (second, first):
            project.registry.promote(version)
            world.now += MINUTE
            finish(scheduler)
            finish(world.scheduler("another"))
        assert [run.versions for run in done(world)] == [(first.id,), (second.id,), (first.id,)]
        assert {run.trigger for run in done(world)} == {"version"}


def register_another(project: Project) -> Any:
    """Another version, which does not answer yet."""
    from lightgbm import LGBMClassifier

    from tests.drivers.projects import INPUTS

    first = project.registry.active("risk")
    frame = project.training_frame("risk")
    rows = frame.filter(pl.col("dear").is_not_null())
    model = LGBMClassifier(n_estimators=3, num_leaves=4, min_data_in_leaf=5, verbose=-1, n_jobs=1)
    table = rows.select(pl.col(INPUTS).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    model.fit(table, rows.get_column("dear").to_numpy(), feature_name=INPUTS)
    second = project.register("risk", model, sample=frame).version
    project.registry.promote(first)
    return second


# Processes ------------------------------------------------------------------------------------------------------------

SCHEDULE = """
[schedules.{name}]
predictor = "risk"
every = "* * * * *"
out = "scores/{{run_id}}.parquet"
catch_up = "all"
overlap = "queue"
retries = 100
"""
NAMES = ("one", "two", "three")
MISSED = 3
KILLS = {"quick": 2, "test": 3, "soak": 40}[os.environ.get("UNISONO_ROUNDS", "test")]

# Processes that load these definitions go on together.
MEETING = """
import os, pathlib, time
here = pathlib.Path(__file__).parent
(here / f"{os.getpid()}.here").touch()
while len(list(here.glob("*.here"))) < 2:
    time.sleep(0.01)
"""


def with_missed_instants(project: Project) -> Project:
    """A project whose schedules nobody has run for some minutes."""
    path = project.root / "unisono.toml"
    path.write_text(path.read_text() + "".join(SCHEDULE.format(name=name) for name in NAMES))
    project = un.load(project.root)
    for name in NAMES:
        open_runs(project).enrol("risk", name, utc_now() - MISSED * MINUTE)
    return project


@contextmanager
def started(project: Project, lease: str = "1s") -> Iterator[subprocess.Popen[str]]:
    """`unisono schedule run` in a process of its own, which is killed at the end."""
    command = [sys.executable, "-m", "unisono", "schedule", "run", "--lease", lease, "--json"]
    process = subprocess.Popen(
        [*command, "--project", str(project.root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def missed(runs: Runs) -> list[Run]:
    """The runs of the minutes that were missed before anything was started."""
    every = sorted(runs.latest(now=utc_now(), limit=1000), key=lambda run: run.scheduled)
    return [run for name in NAMES for run in [one for one in every if one.schedule == name][:MISSED]]


def are_all_done(runs: Runs) -> bool:
    """Whether nothing that was missed is left to be done."""
    return [run.state for run in missed(runs)] == [State.DONE] * MISSED * len(NAMES)


def check_tables(project: Project, runs: list[Run]) -> None:
    """Every minute was done once, and its table is what it should be."""
    wanted = project.predict("risk")
    for name in NAMES:
        minutes = [run.scheduled for run in runs if run.schedule == name]
        assert minutes == [minutes[0] + number * MINUTE for number in range(MISSED)]
    for run in runs:
        assert_frame_equal(pl.read_parquet(str(run.output)), wanted)
    assert {path.name for path in (project.root / "scores").iterdir()} >= {f"{run.id}.parquet" for run in runs}


def test_a_scheduler_that_is_killed_again_and_again_leaves_every_instant_done_once(project: Project) -> None:
    chance = random.Random(4)
    project = with_missed_instants(project)
    runs = open_runs(project)

    def claims() -> int:
        return sum(run.claims for run in runs.latest(now=utc_now(), limit=1000))

    for _ in range(KILLS):
        before = claims()
        with started(project) as scheduler:
            wait_for(lambda before=before: claims() > before)  # type: ignore[misc]
            time.sleep(chance.random())  # the instant of the kill
            assert scheduler.poll() is None
            scheduler.send_signal(signal.SIGKILL)
    with started(project):
        wait_for(lambda: are_all_done(runs))
    check_tables(project, missed(runs))
    assert 1 <= sum(run.claims - 1 for run in missed(runs)) <= KILLS


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_schedulers_at_once_share_the_work(kind: str, project: Project, request: pytest.FixtureRequest) -> None:
    if kind == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        with (project.root / "unisono.toml").open("a") as file:
            file.write(f'[registry]\nurl = "{server.database()}"\n')
        project = un.load(project.root)
        register(project)
    project = with_missed_instants(project)
    runs = open_runs(project)
    with (project.root / "definitions.py").open("a") as file:
        file.write(MEETING)
    with started(project, "60s") as one, started(project, "60s") as other:
        wait_for(lambda: are_all_done(runs))
        for process in (one, other):
            process.send_signal(signal.SIGTERM)
        answers = [process.communicate(timeout=60) for process in (one, other)]
    assert [one.returncode, other.returncode] == [0, 0], answers
    check_tables(project, missed(runs))
    assert {run.claims for run in missed(runs)} == {1}
    assert len({run.owner for run in missed(runs)}) == 2
    assert sum(json.loads(out)["runs"]["done"] for out, _ in answers) >= MISSED * len(NAMES)


def test_a_scheduler_that_is_told_to_stop_ends_well(project: Project) -> None:
    project = with_missed_instants(project)
    runs = open_runs(project)
    with started(project) as scheduler:
        wait_for(lambda: any(run.state is State.DONE for run in runs.latest(now=utc_now(), limit=1000)))
        scheduler.send_signal(signal.SIGTERM)
        out, err = scheduler.communicate(timeout=60)
    assert scheduler.returncode == 0, err
    assert json.loads(out)["runs"]["done"] >= 1
    states = {run.state for run in runs.latest(now=utc_now() + HOUR, limit=1000)}
    assert states <= {State.DONE, State.QUEUED}  # none is lost
    assert "stopping at the next checkpoint" in err
