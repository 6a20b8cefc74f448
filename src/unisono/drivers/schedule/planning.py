"""From schedules and what is seen to runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from unisono.drivers.schedule.cron import Cron
from unisono.drivers.schedule.names import instant_id, run_id
from unisono.drivers.schedule.rules import Decision, Skip, decide
from unisono.drivers.schedule.settings import Schedule
from unisono.store.runs import Run, Standing, State


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that triggers a schedule, e.g. the look of some files.

    occasion: names it, for the run's id.
    since:    when it was first seen so.
    """

    occasion: str
    since: datetime


def due_runs(schedule: Schedule, cron: Cron, now: datetime, standing: Standing) -> Iterable[Run]:
    """The runs of a schedule's instants up to now that are not decided yet."""
    decided = decide(cron, schedule.rules, after=standing.decided_until, now=now, is_busy=standing.is_busy)
    return [_planned(schedule, one) for one in decided]


def _planned(schedule: Schedule, decision: Decision) -> Run:
    instant = decision.first if isinstance(decision, Skip) else decision.instant
    identity = run_id(*schedule.key, instant_id(instant))
    if isinstance(decision, Skip):
        return Run(
            id=identity,
            predictor=schedule.predictor,
            schedule=schedule.name,
            trigger="schedule",
            scheduled=instant,
            until=decision.until,
            state=State.SKIPPED,
            reason=decision.reason,
        )
    trigger = "catch-up" if decision.is_late else "schedule"
    return Run(id=identity, predictor=schedule.predictor, schedule=schedule.name, trigger=trigger, scheduled=instant)


def triggered_run(schedule: Schedule, occasion: str, trigger: str, now: datetime, standing: Standing) -> Iterable[Run]:
    """The run for something seen, unless one of the schedule is unfinished: then it is looked at again after that."""
    if standing.is_busy:
        return []
    identity = run_id(*schedule.key, occasion)
    return [Run(id=identity, predictor=schedule.predictor, schedule=schedule.name, trigger=trigger, scheduled=now)]


def look_again(before: Seen | None, occasion: str, now: datetime) -> Seen:
    """What is seen, and since when: what has changed is seen from now on."""
    return before if before is not None and before.occasion == occasion else Seen(occasion, now)
