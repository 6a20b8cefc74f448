"""What becomes of each instant of a schedule: pure functions of now, of what was decided before, and of the rules.

Every instant is decided once: it is started, or it is skipped for a reason. An instant that is looked at within the
grace is on time; a later one was missed, because nobody ran the schedule then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Literal, Protocol

from unisono.spec.errors import DefinitionError, ModelError, ParityError

Overlap = Literal["skip", "queue"]
CatchUp = Literal["last", "all", "none"]

STILL_GOING_ON = "an earlier run was not finished"
MISSED = "no scheduler ran at that time"
SUPERSEDED = "missed, and a later one stands for it"
TOO_MANY = "missed, and beyond catch_up_limit"

MAX_DELAY_S = 1e9

HOPELESS = (DefinitionError, ModelError, ParityError)
"""Errors that another attempt would meet again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What to do with instants that cannot be run as planned, and with runs that fail.

    overlap:         what to do with an instant that comes while a run of the same schedule is unfinished: leave it out,
                     or run it afterwards.
    misfire_grace:   an instant that is looked at later than this was missed.
    catch_up:        of the missed instants run the last, all, or none.
    catch_up_limit:  at most so many with "all": the latest.
    retries:         attempts after the first.
    retry_delay:     from a failure to the next attempt; doubled each time.
    retry_delay_max: never longer than this.
    """

    overlap: Overlap = "skip"
    misfire_grace: timedelta = timedelta(minutes=5)
    catch_up: CatchUp = "last"
    catch_up_limit: int = 24
    retries: int = 3
    retry_delay: timedelta = timedelta(seconds=30)
    retry_delay_max: timedelta = timedelta(hours=1)


class Instants(Protocol):
    """A schedule's instants, without end."""

    def next_after(self, after: datetime) -> datetime:
        """The first one after some time."""
        ...

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Those after one time and up to another, ascending."""
        ...


@dataclass(frozen=True, slots=True)
class Start:
    """An instant that is run.

    is_late: whether it was missed and is caught up.
    """

    instant: datetime
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Skip:
    """Instants that are not run: those from `first` on and before `until`, and why."""

    first: datetime
    until: datetime
    reason: str


Decision = Start | Skip


def decide(instants: Instants, rules: Rules, *, after: datetime, now: datetime, is_busy: bool) -> list[Decision]:
    """What becomes of the instants after one time and up to now; each is in exactly one of the decisions, ascending.

    after:   the time up to which everything is decided.
    is_busy: whether a run of the schedule is unfinished: queued, running, or waiting for another attempt.

    Cost: some multiple of catch_up_limit, however long nobody ran the schedule.
    """
    due = _newest(instants, after, now, max(rules.catch_up_limit, 1) if rules.catch_up == "all" else 1)
    if not due:
        return []
    decided = [_decide_one(instant, rules, now, is_busy, is_last=instant == due[-1]) for instant in due]
    first = instants.next_after(after)
    if first < due[0]:
        older = {"all": TOO_MANY, "last": SUPERSEDED, "none": MISSED}[rules.catch_up]
        decided.insert(0, (first, older))
    return list(_merged(decided, instants.next_after(due[-1])))


def _decide_one(
    instant: datetime, rules: Rules, now: datetime, is_busy: bool, *, is_last: bool
) -> tuple[datetime, str | Start]:
    is_late = now - instant > rules.misfire_grace
    if is_busy and rules.overlap == "skip" and not is_late:
        return instant, STILL_GOING_ON
    if is_late and rules.catch_up == "none":
        return instant, MISSED
    return instant, Start(instant, is_late)


def _newest(instants: Instants, after: datetime, now: datetime, count: int) -> list[datetime]:
    """The last `count` instants after one time and up to now, found without looking at many more."""
    span = timedelta(hours=1)
    while True:
        begin = max(after, now - span)
        found = list(instants.between(begin, now))
        if len(found) >= count or begin == after:
            return found[-count:]
        span *= 4


def _merged(decided: Sequence[tuple[datetime, str | Start]], end: datetime) -> Iterator[Decision]:
    """Neighbours that are skipped for the same reason as one."""
    groups = [(fate, [instant for instant, _ in group]) for fate, group in groupby(decided, lambda one: one[1])]
    until = [group[0] for _, group in groups[1:]] + [end]
    for (fate, group), bound in zip(groups, until, strict=True):
        yield fate if isinstance(fate, Start) else Skip(group[0], bound, fate)


def next_attempt(rules: Rules, failures: int, now: datetime) -> datetime | None:
    """When a run that has failed so often is tried again; None: it is given up.

    >>> noon = datetime(2026, 11, 26, 12)
    >>> [str(next_attempt(Rules(retries=2), failures, noon))[11:] for failures in (1, 2, 3)]
    ['12:00:30', '12:01:00', '']
    """
    if failures > rules.retries:
        return None
    doubled_s = rules.retry_delay.total_seconds() * 2.0 ** min(failures - 1, 100)
    return now + min(timedelta(seconds=min(doubled_s, MAX_DELAY_S)), rules.retry_delay_max)


def is_hopeless(error: BaseException) -> bool:
    """Whether another attempt would meet the same error; a table that does not fit may be one that is still written."""
    return isinstance(error, HOPELESS)
