"""One run, as the history knows it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """Where a run is.

    QUEUED:  due, and not begun, or stopped in order to be gone on with.
    RUNNING: somebody works on it and its lease lasts.
    LOST:    somebody worked on it and its lease is over; never stored, it follows from the clock.
    FAILED:  an attempt failed; it will be tried again.
    DONE:    its result is published.
    GAVE_UP: failed, and not tried again.
    SKIPPED: never begun, for a reason.
    """

    QUEUED = "queued"
    RUNNING = "running"
    LOST = "lost"
    FAILED = "failed"
    DONE = "done"
    GAVE_UP = "gave up"
    SKIPPED = "skipped"


UNFINISHED = (State.QUEUED, State.RUNNING, State.FAILED)
"""Stored states of a run that will be gone on with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run, or several instants that were skipped for one reason. Every instant is in UTC.

    id:          predictor, schedule and instant (or what triggered it): the same for whoever computes it.
    trigger:     "schedule", "catch-up", "data", "version".
    scheduled:   the instant that it is for.
    until:       of skipped instants: the first one after them, which is not one of them; else None.
    reason:      why it was skipped.
    failures:    attempts that failed or were lost.
    claims:      how often somebody began or went on with it; the number names the claim that holds.
    owner:       who holds or held it last.
    lease_until: the holder must renew before this.
    retry_at:    of a failed one: when it is tried again.
    started:     when its last attempt began.
    rows:        of the result.
    seconds:     of the attempt that ended it; cpu_seconds likewise, of the whole process.
    cost:        cpu_seconds priced as unisono.toml says, in `currency`; None if it says nothing.
    versions:    ids of the versions that answered.
    output:      where the result is.
    error:       what the last failed attempt said.
    """

    id: str
    predictor: str
    schedule: str
    trigger: str
    scheduled: datetime
    until: datetime | None = None
    state: State = State.QUEUED
    reason: str | None = None
    failures: int = 0
    claims: int = 0
    owner: str | None = None
    lease_until: datetime | None = None
    retry_at: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    rows: int | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    cost: float | None = None
    currency: str | None = None
    versions: tuple[str, ...] = ()
    output: str | None = None
    error: str | None = None

    def as_of(self, now: datetime) -> Run:
        """The run as it is at some time: one that is said to run while its lease is over is lost."""
        is_lost = self.state is State.RUNNING and self.lease_until is not None and self.lease_until <= now
        return replace(self, state=State.LOST) if is_lost else self

    def can_be_claimed(self, now: datetime) -> bool:
        """Whether somebody may begin or go on with it: it is queued, lost, or its next attempt is due."""
        if self.state is State.FAILED:
            return self.retry_at is not None and self.retry_at <= now
        return self.as_of(now).state in (State.QUEUED, State.LOST)
