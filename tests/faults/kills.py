"""Killing `unisono stream` and looking at what is left."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import lmdb
import numpy as np

from tests.drivers.logs import HOUR, same_bits
from unisono.connect.segments import read_mark
from unisono.drivers.project import Project
from unisono.kernel import Reader
from unisono.store.states import StateStore


@dataclass(frozen=True)
class Victim:
    """A project whose stream is killed.

    batch: rows a commit.
    """

    project: Project
    predictor: str
    batch: int

    @property
    def streams(self) -> Path:
        return self.project.store_path / "streams" / self.predictor

    def run(self) -> subprocess.Popen[bytes]:
        """`unisono stream` in a process of its own."""
        where = ["--project", str(self.project.root), "--batch", str(self.batch)]
        command = [sys.executable, "-m", "unisono", "stream", self.predictor, *where]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answered(self) -> int:
        """How many predictions are in the output, committed or not."""
        mark = read_mark(self.streams / "predictions")
        return 0 if mark is None else mark.position

    def kill_after(self, target: int, moment_s: float) -> bool:
        """Kill a run a moment after it has answered `target` requests; returns whether it was still running."""
        process = self.run()
        try:
            while process.poll() is None and self.answered() < target:
                wait(process, 0.002)
            wait(process, moment_s)
            return process.poll() is None
        finally:
            process.kill()
            process.wait()

    def states(self) -> Iterator[tuple[str, bytes, bytes]]:
        """Every stored state: view, key, bytes."""
        with lmdb.open(str(self.streams / "state"), readonly=True, max_dbs=64) as environment:
            for view in self.project.ready(self.predictor).views:
                database = environment.open_db(b"view:" + view.name.encode(), create=False)
                with environment.begin(db=database) as transaction:
                    for key, state in transaction.cursor():
                        yield view.name, bytes(key), bytes(state)

    def features(self) -> dict[tuple[str, bytes], bytes]:
        """The features of every key at several instants after the log's end: what its state means."""
        ready = self.project.ready(self.predictor)
        store = StateStore(self.streams / "state", ready.identities)
        end = store.last.time
        store.close()
        readers = {view.name: Reader(view.plan.plan) for view in ready.views}
        times = [end, end + HOUR // 2, end + HOUR, end + 3 * HOUR]
        return {
            (view, key): b"".join(np.asarray(readers[view].read(state, time)).tobytes() for time in times)
            for view, key, state in self.states()
        }


def wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Until a process ends, but no longer."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)


def kill_and_compare(victim: Victim, kills: int, aside: Path) -> None:
    """Run undisturbed, then again with kills: final state and predictions must be equal."""
    chance = random.Random(9)
    project, predictor = victim.project, victim.predictor
    assert victim.run().wait() == 0
    expected, wanted = victim.features(), project.predictions(predictor)
    position = project.stream(predictor).position
    project.store_path.joinpath("streams").rename(aside / "streams")
    project.store_path.joinpath("log").rename(aside / "log")

    killed = 0
    for number in range(kills):
        # The first kills fall while it starts and while the log is being filled.
        target = wanted.height * (number - 1) // kills if number > 1 else 0
        killed += victim.kill_after(target, chance.random() * (2.0 if number < 2 else 0.03))
    assert killed >= kills // 2
    assert victim.run().wait() == 0

    assert same_bits(project.predictions(predictor), wanted)
    assert victim.features() == expected
    report = project.stream(predictor)
    assert (report.position, report.rows, report.requests) == (position, 0, 0)
