"""kill -9 of `unisono stream` at random instants: nothing is lost, nothing is counted twice.

UNISONO_ROUNDS: quick kills 3 times, test 8 times, soak 50 times.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import lmdb
import numpy as np
import pytest

import unisono as un
from tests.drivers.logs import HOUR, same_bits
from tests.drivers.projects import make_project, register
from unisono.connect.segments import read_mark
from unisono.drivers.project import Project
from unisono.kernel import Reader
from unisono.store.states import StateStore

KILLS = {"quick": 3, "test": 8, "soak": 50}[os.environ.get("UNISONO_ROUNDS", "test")]
BATCH = 20


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = make_project(tmp_path_factory.mktemp("kill"), events=2000 + 100 * KILLS, requests=1000 + 100 * KILLS)
    register(made)
    return made


def run(project: Project, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "unisono", "stream", "risk", "--project", str(project.root), "--batch", str(BATCH)]
    return subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def answered(project: Project) -> int:
    """How many predictions are in the output, committed or not."""
    mark = read_mark(project.store_path / "streams" / "risk" / "predictions")
    return 0 if mark is None else mark.position


def kill_while_it_runs(project: Project, target: int, moment_s: float) -> bool:
    """Kill a run a moment after it has answered `target` requests; returns whether it was still running."""
    process = run(project)
    try:
        while process.poll() is None and answered(project) < target:
            _wait(process, 0.002)
        _wait(process, moment_s)
        alive = process.poll() is None
        return alive
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)


def states(project: Project) -> Iterator[tuple[str, bytes, bytes]]:
    """Every stored state: view, key, bytes."""
    ready = project.ready("risk")
    directory = project.store_path / "streams" / "risk" / "state"
    with lmdb.open(str(directory), readonly=True, max_dbs=8) as environment:
        for view in ready.views:
            database = environment.open_db(b"view:" + view.name.encode(), create=False)
            with environment.begin(db=database) as transaction:
                for key, state in transaction.cursor():
                    yield view.name, bytes(key), bytes(state)


def features(project: Project) -> dict[tuple[str, bytes], bytes]:
    """The features of every key at several instants after the log's end: what its state means."""
    ready = project.ready("risk")
    directory = project.store_path / "streams" / "risk" / "state"
    store = StateStore(directory, ready.identities)
    end = store.last.time
    store.close()
    readers = {view.name: Reader(view.plan.plan) for view in ready.views}
    times = [end, end + HOUR // 2, end + HOUR, end + 3 * HOUR]
    return {
        (view, key): b"".join(np.asarray(readers[view].read(state, time)).tobytes() for time in times)
        for view, key, state in states(project)
    }


@pytest.mark.slow
def test_a_killed_stream_ends_as_an_undisturbed_one(project: Project, tmp_path: Path) -> None:
    chance = random.Random(9)
    undisturbed = tmp_path / "undisturbed"
    assert run(project).wait() == 0
    expected, wanted = features(project), project.predictions("risk")
    position = project.stream("risk", ingest=False).position
    project.store_path.joinpath("streams").rename(undisturbed)
    project.store_path.joinpath("log").rename(tmp_path / "log")

    killed = 0
    total = wanted.height
    for number in range(KILLS):
        # The first kills fall while it starts and while the log is being filled.
        target = total * (number - 1) // KILLS if number > 1 else 0
        killed += kill_while_it_runs(project, target, chance.random() * (2.0 if number < 2 else 0.03))
    assert killed >= KILLS // 2
    assert run(project).wait() == 0

    assert same_bits(project.predictions("risk"), wanted)
    assert features(project) == expected
    report = project.stream("risk")
    assert (report.position, report.rows, report.requests) == (position, 0, 0)


@pytest.mark.slow
def test_an_interrupted_stream_stops_after_a_commit_and_says_so(project: Project) -> None:
    import shutil
    import signal

    shutil.rmtree(project.store_path / "streams", ignore_errors=True)
    process = run(project)
    while process.poll() is None and answered(project) < 50:
        _wait(process, 0.002)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    with project.open_stream("risk") as stream:
        assert 0 < stream.position < un.drivers.project.Log(project.log_path).end.position  # type: ignore[attr-defined]
