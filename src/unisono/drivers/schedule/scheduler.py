"""The scheduler: decides what is due, claims it, does it, keeps its lease, and writes down how it ended.

Only the history remembers anything: a scheduler can be killed at any instant and started again, or run beside others.
It does one run at a time; for more at once, run more schedulers on the same history.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from unisono.drivers.schedule.attempt import Attempt, Stopped, Work
from unisono.drivers.schedule.cron import Cron
from unisono.drivers.schedule.looks import data_occasion, version_occasion
from unisono.drivers.schedule.names import run_id
from unisono.drivers.schedule.planning import Seen, due_runs, look_again, triggered_run
from unisono.drivers.schedule.rules import Rules, is_hopeless, next_attempt
from unisono.drivers.schedule.settings import NewData, NewVersion, Schedule
from unisono.spec.errors import UnisonoError
from unisono.spec.wording import one_line
from unisono.store.runs import LostLeaseError, Run, Runs

if TYPE_CHECKING:
    from unisono.drivers.project import Project

LEASE = timedelta(seconds=60)
RENEWED_AT = 2 / 3
"""A lease is renewed once less than this part of it is left."""

STEP_S, BUSY_STEP_S = 1.0, 0.1
"""Between two looks, when nothing is under way and while something is."""

LOOK_EVERY = timedelta(seconds=2)
"""How often files and versions are looked at."""

Key = tuple[str, str]
"""A schedule: its predictor's name and its own."""

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock, in UTC."""
    return datetime.now(UTC)


def own_name() -> str:
    """Names this scheduler among all others: host, process, and a chance number, since process ids come again."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:6]}"


@dataclass(slots=True)
class Scheduler:
    """Runs schedules until it is told to stop.

    project:   whose predictors these are.
    schedules: by predictor and name.
    runs:      the history; schedulers that share it share the work.
    work:      does one run.
    tell:      called with each run that has changed: it was added, has begun or has ended.
    warn:      called with what went wrong on the way and is tried again.
    clock:     the time.
    lease:     how long a run belongs to a scheduler that does not say a word.
    owner:     names this scheduler in the history.
    errors:    what attempts failed with, first to last.
    """

    project: Project
    schedules: Mapping[Key, Schedule]
    runs: Runs
    work: Work
    tell: Callable[[Run], None] = lambda run: None
    warn: Callable[[str], None] = lambda message: None
    clock: Clock = utc_now
    lease: timedelta = LEASE
    owner: str = field(default_factory=own_name)
    errors: list[BaseException] = field(default_factory=list)
    _next: dict[Key, datetime] = field(default_factory=dict)
    _seen: dict[Key, Seen] = field(default_factory=dict)
    _unsettled: set[Key] = field(default_factory=set)
    _handled: dict[Key, str] = field(default_factory=dict)
    _warnings: set[str] = field(default_factory=set)
    _looked_at: datetime | None = None
    _attempt: Attempt | None = None

    def enrol(self) -> None:
        """Let the schedules count from now on, unless they do already. Raises StoreError."""
        for predictor, name in self.schedules:
            self.runs.enrol(predictor, name, self.clock())

    def run_until(self, stop: threading.Event, *, once: bool = False) -> None:
        """Go on until `stop` is set: then the run under way stops at its next checkpoint, to be gone on with later.

        once: end also when nothing is due any more.
        """
        while not stop.is_set():
            with self._warned():
                self.step()
            if once and self.is_idle:
                return
            stop.wait(BUSY_STEP_S if self._attempt is not None else STEP_S)
        if self._attempt is not None:
            self._attempt.stop()
            with self._warned():
                self.settle()

    def step(self) -> None:
        """Look once at what is due, what has ended, and what can be begun. Raises StoreError."""
        self.decide()
        if self._attempt is not None:
            self._look_after(self._attempt)
        if self._attempt is None:
            self._begin()

    def settle(self) -> None:
        """Wait for the run under way and write down how it ended. Raises StoreError."""
        while self._attempt is not None:
            self._attempt.wait(self.lease.total_seconds() / 4)
            self._look_after(self._attempt)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way, and no changed data waits until it has been quiet for long enough."""
        return self._attempt is None and not self._unsettled

    @contextmanager
    def _warned(self) -> Iterator[None]:
        """Tells what goes wrong and is tried again; the same once, however often it is tried."""
        try:
            yield
        except UnisonoError as error:
            if str(error) not in self._warnings:
                self._warnings.add(str(error))
                self.warn(f"{error}; it is tried again")

    # What is due ------------------------------------------------------------------------------------------------------

    def decide(self) -> None:
        """Add what has come due since the last time to the history. Raises StoreError."""
        now = self.clock()
        may_look = self._looked_at is None or now - self._looked_at >= LOOK_EVERY
        for key, schedule in self.schedules.items():
            if isinstance(schedule.when, Cron):
                self._decide_instants(key, schedule, schedule.when, now)
            elif may_look:
                with self._warned():  # a table that cannot be looked at is no reason to forget the others
                    self._decide_trigger(key, schedule, now)
        if may_look:
            self._looked_at = now

    def _decide_instants(self, key: Key, schedule: Schedule, cron: Cron, now: datetime) -> None:
        if key in self._next and now < self._next[key]:
            return
        self._told(self.runs.decide(*key, now, lambda standing: due_runs(schedule, cron, now, standing)))
        self._next[key] = cron.next_after(now)

    def _decide_trigger(self, key: Key, schedule: Schedule, now: datetime) -> None:
        look = _LOOKS[type(schedule.when)]
        occasion = look.occasion(self.project, schedule)
        if occasion is None or self._handled.get(key) == occasion:
            return
        seen = self._seen[key] = look_again(self._seen.get(key), occasion, now)
        debounce = schedule.when.debounce if isinstance(schedule.when, NewData) else timedelta(0)
        if now - seen.since < debounce:
            self._unsettled.add(key)
            return
        self._unsettled.discard(key)
        self._told(
            self.runs.decide(*key, now, lambda standing: triggered_run(schedule, occasion, look.name, now, standing))
        )
        if self.runs.is_known(run_id(*key, occasion)):
            self._handled[key] = occasion

    def _told(self, runs: Iterable[Run]) -> None:
        for run in runs:
            self.tell(run)

    # Doing it ---------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Claim what has waited longest, and begin it; what has killed too many is given up."""
        run = self._claimed()
        while run is not None and run.failures > self._rules(run).retries:
            self.tell(self.runs.give_up(run, now=self.clock()))
            run = self._claimed()
        if run is not None:
            self.tell(run)
            self._attempt = Attempt(run, self.work)
            self._attempt.begin()

    def _claimed(self) -> Run | None:
        return self.runs.claim(self.schedules, owner=self.owner, now=self.clock(), lease=self.lease)

    def _look_after(self, attempt: Attempt) -> None:
        """Keep an attempt's lease, or write down how it ended; what cannot be written is tried again."""
        is_ended = attempt.is_ended  # once: it may end at any moment, and is then written down the next time
        try:
            if is_ended and not attempt.is_lost:
                self.tell(self._ended(attempt))
            elif not attempt.is_lost and self._must_renew(attempt.run):
                attempt.run = self.runs.renew(attempt.run, now=self.clock(), lease=self.lease)
        except LostLeaseError as error:
            self.warn(str(error))
            attempt.is_lost = True
            attempt.stop()
        if is_ended:
            self._attempt = None

    def _must_renew(self, run: Run) -> bool:
        return run.lease_until is None or run.lease_until - self.clock() < self.lease * RENEWED_AT

    def _ended(self, attempt: Attempt) -> Run:
        run, now, error = attempt.run, self.clock(), attempt.error
        if attempt.outcome is not None:
            return self.runs.finish(run, attempt.outcome, now=now)
        if error is None or isinstance(error, Stopped):
            return self.runs.release(run)
        retry_at = None if is_hopeless(error) else next_attempt(self._rules(run), run.failures + 1, now)
        failed = self.runs.fail(run, _said(error), now=now, retry_at=retry_at)
        self.errors.append(error)
        return failed

    def _rules(self, run: Run) -> Rules:
        return self.schedules[run.predictor, run.schedule].rules


class _Look(NamedTuple):
    """What a trigger looks at, and what a run that it makes is said to be triggered by."""

    name: str
    occasion: Callable[[Project, Schedule], str | None]


_LOOKS: Mapping[type, _Look] = {NewData: _Look("data", data_occasion), NewVersion: _Look("version", version_occasion)}


def _said(error: BaseException) -> str:
    kind = "" if isinstance(error, UnisonoError) else f"{type(error).__name__}: "
    return one_line(f"{kind}{error}", length=1000)
