"""Schedulers on a clock that the test moves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from unisono.drivers.project import Project
from unisono.drivers.schedule.scheduler import Scheduler
from unisono.drivers.schedule.settings import Schedule, ScheduleSettings, make_schedule
from unisono.drivers.schedule.work import Batches
from unisono.spec.progress import Progress
from unisono.store.database import open_database
from unisono.store.runs import Outcome, Run, Runs

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def a_schedule(name: str = "hourly", **settings: Any) -> Schedule:
    """A schedule of predictor `risk`, hourly unless it is said otherwise."""
    given = {"predictor": "risk", "out": "scores/{run_id}.parquet", **settings}
    if not {"every", "on_new_data", "on_new_version"} & {*given}:
        given["every"] = "0 * * * *"
    return make_schedule(name, ScheduleSettings(**given))


@dataclass
class Work:
    """Stands for batches: notes who did what, and fails or waits as it is told.

    failures: run id -> errors that its next attempts end with.
    held:     ids of runs that wait for `go`; holds_all: every run that begins now does.
    """

    failures: dict[str, list[BaseException]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    holds_all: bool = False
    go: threading.Event = field(default_factory=threading.Event)
    begun: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def __call__(self, run: Run, progress: Progress) -> Outcome:
        waits = self.holds_all or run.id in self.held
        self.begun.append(run.id)
        if waits:
            self.go.wait(60)
        progress("predicting", 0, 1)
        if self.failures.get(run.id):
            raise self.failures[run.id].pop(0)
        self.done.append(run.id)
        return Outcome(rows=1, seconds=1.0, cpu_seconds=1.0, cost=None, currency=None, versions=("v",), output="o")


@dataclass
class World:
    """One history, one clock, and schedulers on both.

    place:   URL of the history's database.
    batches: do what there is to do, in place of `work`.
    """

    place: str
    schedules: Mapping[tuple[str, str], Schedule]
    work: Work = field(default_factory=Work)
    batches: Batches | None = None
    now: datetime = NOON
    told: list[Run] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    project: Project = cast(Project, None)  # noqa: RUF009 (schedules at set times ask nothing of it)

    def __post_init__(self) -> None:
        self._database = open_database(self.place)
        self.runs = Runs(self._database)

    def scheduler(self, owner: str = "one") -> Scheduler:
        """A scheduler that has just been started."""
        scheduler = Scheduler(
            self.project,
            self.schedules,
            self.runs,
            self.batches or self.work,
            self.told.append,
            self.warned.append,
            lambda: self.now,
            owner=owner,
        )
        scheduler.enrol()
        return scheduler

    def history(self) -> list[Run]:
        """Every run, the first scheduled first, as it is now."""
        return self.runs.latest(now=self.now, limit=100_000)[::-1]

    def states(self) -> list[str]:
        """Hour and state of every run."""
        return [f"{run.scheduled:%H} {run.state}" for run in self.history()]

    def close(self) -> None:
        """Let go of runs that are held, and of the database."""
        self.work.go.set()
        self._database.close()


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def finish(scheduler: Scheduler) -> None:
    """Let a scheduler do everything that is due now."""
    scheduler.step()
    while not scheduler.is_idle:
        scheduler.settle()
        scheduler.step()


@contextmanager
def a_world(place: str | Path, *schedules: Schedule, **given: Any) -> Iterator[World]:
    """A world that is closed at the end."""
    world = World(str(place), {one.key: one for one in schedules}, **given)
    try:
        yield world
    finally:
        world.close()
