"""kill -9 of `unisono predict` at random instants, and two at once: no row is lost, none is there twice.

UNISONO_ROUNDS: quick kills twice a sink, test 3 times, soak 100 times.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import polars as pl
import pytest

from tests.faults.batches import BEFORE, Run, make_batch_project, rows_of
from unisono.drivers.batch import run_batch
from unisono.drivers.project import Project

ROUNDS = os.environ.get("UNISONO_ROUNDS", "test")
KILLS = {"quick": 2, "test": 3, "soak": 100}[ROUNDS]
CHUNK = 50
PARTS = 40
SINKS = {
    "parquet": "scores.parquet",
    "folder": "scores/",
    "csv": "scores.csv",
    "delta": "delta:scores",
    "sqlite": "sqlite:///scores.db#scores",
}
TESTED = SINKS if ROUNDS == "soak" else {name: SINKS[name] for name in ("parquet", "sqlite")}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_batch_project(tmp_path_factory.mktemp("batch"), requests=CHUNK * PARTS)


@pytest.mark.parametrize("sink", TESTED.values(), ids=TESTED)
def test_a_killed_run_ends_as_an_undisturbed_one(
    project: Project, sink: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_batch(project, "risk", None, sink)
    wanted = rows_of(sink, tmp_path / "read")
    project.requests("risk").head(BEFORE).write_parquet("few.parquet")
    run_batch(project, "risk", "few.parquet", sink)

    run, chance, killed = Run(project, sink, CHUNK), random.Random(11), 0
    for number in range(KILLS):
        # The last kill of each round of three falls while the sink is being written, the others while rows are scored.
        target = PARTS if number % 3 == 2 else PARTS * (number % 3 + 1) // 3
        killed += run.kill_after(target, chance.random() * 0.05)
        there = rows_of(sink, tmp_path / "read")
        assert there.height in (BEFORE, wanted.height)
        if there.height == wanted.height:
            assert there.equals(wanted)
            run_batch(project, "risk", "few.parquet", sink)
    assert killed >= KILLS // 2
    ended = run.start()
    out, err = ended.communicate(timeout=120)
    assert ended.returncode == 0, err
    answer = json.loads(out)
    assert (answer["rows"], answer["parts"]) == (CHUNK * PARTS, PARTS)
    assert rows_of(sink, tmp_path / "read").equals(wanted)
    assert run.parts() == 0


def test_two_runs_started_at_once_leave_what_one_leaves(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = Run(project, "scores.parquet", CHUNK)
    processes = [run.start(), run.start()]
    said = [process.communicate(timeout=120) for process in processes]
    codes = sorted(process.returncode for process in processes)
    assert codes in ([0, 0], [0, 6]), said
    if codes == [0, 6]:
        (refused,) = [out for process, (out, _) in zip(processes, said, strict=True) if process.returncode]
        assert "another run writes it" in json.loads(refused)["error"]["message"]
    assert pl.read_parquet("scores.parquet").equals(project.predict("risk"))
