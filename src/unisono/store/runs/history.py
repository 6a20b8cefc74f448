"""Reading and writing the history."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, insert, or_, select, text, update

from unisono.spec.errors import InputError, StoreError
from unisono.spec.wording import quoted
from unisono.store.database import Database
from unisono.store.runs.run import UNFINISHED, Run, State
from unisono.store.runs.tables import METADATA, RUNS, SCHEDULES, row_of, run_of

FORMAT = 1
"""Of the tables; goes up when they change."""

# Two processes may enrol the same schedule at once.
_ENROL = text(
    "INSERT INTO schedules (predictor, schedule, decided_until) VALUES (:predictor, :schedule, :decided_until) "
    "ON CONFLICT DO NOTHING"
).bindparams(bindparam("decided_until", type_=SCHEDULES.c.decided_until.type))


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a schedule is when its next instants are decided.

    decided_until: every instant up to this one is decided.
    is_busy:       whether one of its runs is unfinished.
    """

    decided_until: datetime
    is_busy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run that went well leaves in the history; see Run."""

    rows: int
    seconds: float
    cpu_seconds: float
    cost: float | None
    currency: str | None
    versions: tuple[str, ...]
    output: str


class LostLeaseError(StoreError):
    """Somebody else holds the run by now: the lease was not renewed in time."""


class Runs:
    """The history in a database.

    database: where it is; its tables are made if they are missing.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.keep("runs", METADATA, format=FORMAT)

    # What is due ------------------------------------------------------------------------------------------------------

    def enrol(self, predictor: str, schedule: str, now: datetime) -> None:
        """Let a schedule count from now on, unless it is known already."""
        with self._database.write() as connection:
            row = {"predictor": predictor, "schedule": schedule, "decided_until": now}
            connection.execute(_ENROL, row)

    def decide(
        self, predictor: str, schedule: str, now: datetime, choose: Callable[[Standing], Iterable[Run]]
    ) -> list[Run]:
        """Decide a schedule's instants up to now, one decider at a time; returns the runs that are new.

        choose: from where the schedule stands to the runs, queued or skipped, of its instants up to now. Runs whose id
                is known already are left as they are.

        Raises StoreError if the schedule was never enrolled.
        """
        with self._database.write() as connection:
            decided_until = _decided_until(connection, predictor, schedule)
            if decided_until is None:
                raise StoreError(f"schedule {schedule} of predictor {predictor} is not known; enrol it first")
            chosen = choose(Standing(decided_until, _is_busy(connection, predictor, schedule)))
            new = [run for run in chosen if _find(connection, run.id) is None]
            if new:
                connection.execute(insert(RUNS), [row_of(run) for run in new])
            if now > decided_until:
                done = update(SCHEDULES).where(_is_of(SCHEDULES, predictor, schedule)).values(decided_until=now)
                connection.execute(done)
            return new

    # Who does it ------------------------------------------------------------------------------------------------------

    def claim(self, schedules: Iterable[tuple[str, str]], *, owner: str, now: datetime, lease: timedelta) -> Run | None:
        """Take the run that has waited longest, of some schedules (predictor, name); None: nothing is to be done.

        The runs of one schedule are done one after the other: a later one waits until the earlier one is finished, also
        while that waits for another attempt. A lost run that is taken up counts a failure more.
        """
        with self._database.write() as connection:
            for run in _heads(connection, {*schedules}):
                if not run.can_be_claimed(now):
                    continue
                is_lost = run.state is State.RUNNING
                taken = replace(
                    run,
                    state=State.RUNNING,
                    failures=run.failures + is_lost,
                    error=f"{run.owner} died, or lost its lease" if is_lost else run.error,
                    claims=run.claims + 1,
                    owner=owner,
                    lease_until=now + lease,
                    retry_at=None,
                    started=now,
                )
                if _replace(connection, run, taken):
                    return taken
        return None

    def renew(self, run: Run, *, now: datetime, lease: timedelta) -> Run:
        """Go on holding a run. Raises LostLeaseError if somebody else holds it."""
        return self._change(run, lease_until=now + lease)

    def finish(self, run: Run, outcome: Outcome, *, now: datetime) -> Run:
        """Its result is published. Raises LostLeaseError if somebody else holds it."""
        facts = {name: getattr(outcome, name) for name in Outcome.__slots__}
        return self._change(run, state=State.DONE, ended=now, lease_until=None, error=None, **facts)

    def fail(self, run: Run, error: str, *, now: datetime, retry_at: datetime | None) -> Run:
        """An attempt failed; it is tried again at some time, or given up. Raises LostLeaseError."""
        return self._change(
            run,
            state=State.GAVE_UP if retry_at is None else State.FAILED,
            failures=run.failures + 1,
            ended=now,
            lease_until=None,
            retry_at=retry_at,
            error=error,
        )

    def give_up(self, run: Run, *, now: datetime) -> Run:
        """It has failed too often to be tried again. Raises LostLeaseError if somebody else holds it."""
        return self._change(run, state=State.GAVE_UP, ended=now, lease_until=None)

    def release(self, run: Run) -> Run:
        """Stop working on it, so that it is gone on with later; no failure. Raises LostLeaseError."""
        return self._change(run, state=State.QUEUED, lease_until=None)

    def _change(self, run: Run, **values: Any) -> Run:
        changed = replace(run, **values)
        with self._database.write() as connection:
            if not _replace(connection, run, changed):
                raise LostLeaseError(
                    f"run {run.id}: it is not {run.owner}'s any more (the lease ended at {run.lease_until}); "
                    "allowed: changes by whoever holds it; what was done is kept, the holder goes on with it"
                )
        return changed

    # What there was ---------------------------------------------------------------------------------------------------

    def run(self, identity: str) -> Run:
        """A run by its id. Raises InputError if there is none."""
        with self._database.read() as connection:
            found = _find(connection, identity)
        if found is None:
            raise InputError(f"run {quoted(identity)}: there is none; allowed: an id that `unisono runs` lists")
        return found

    def is_known(self, identity: str) -> bool:
        """Whether there is a run of this id."""
        with self._database.read() as connection:
            return _find(connection, identity) is not None

    def latest(
        self, *, now: datetime, predictor: str | None = None, state: State | None = None, limit: int = 20
    ) -> list[Run]:
        """The latest runs as they are now, the last scheduled first.

        predictor, state: only those; None: of all.
        """
        wanted = select(RUNS).order_by(RUNS.c.scheduled.desc(), RUNS.c.id.desc()).limit(limit)
        if predictor is not None:
            wanted = wanted.where(RUNS.c.predictor == predictor)
        if state is not None:
            wanted = wanted.where(_is_in(state, now))
        with self._database.read() as connection:
            return [run_of(row).as_of(now) for row in connection.execute(wanted).mappings()]


def _is_of(table: Table, predictor: str, schedule: str) -> ColumnElement[bool]:
    return and_(table.c.predictor == predictor, table.c.schedule == schedule)


def _is_in(state: State, now: datetime) -> ColumnElement[bool]:
    """Whether a run is in a state at some time; a lost one is stored as running."""
    stored = State.RUNNING if state is State.LOST else state
    chosen = RUNS.c.state == stored
    if stored is not State.RUNNING:
        return chosen
    is_over = RUNS.c.lease_until <= now
    return and_(chosen, is_over if state is State.LOST else or_(RUNS.c.lease_until.is_(None), ~is_over))


def _decided_until(connection: Connection, predictor: str, schedule: str) -> datetime | None:
    """Until the transaction ends, nobody else decides."""
    wanted = select(SCHEDULES.c.decided_until).where(_is_of(SCHEDULES, predictor, schedule)).with_for_update()
    return connection.execute(wanted).scalar()


def _is_busy(connection: Connection, predictor: str, schedule: str) -> bool:
    wanted = select(RUNS.c.id).where(_is_of(RUNS, predictor, schedule), RUNS.c.state.in_(UNFINISHED)).limit(1)
    return connection.execute(wanted).first() is not None


def _heads(connection: Connection, schedules: set[tuple[str, str]]) -> list[Run]:
    """The first unfinished run of each schedule, the first scheduled first."""
    wanted = select(RUNS).where(RUNS.c.state.in_(UNFINISHED)).order_by(RUNS.c.scheduled, RUNS.c.id)
    heads: dict[tuple[str, str], Run] = {}
    for row in connection.execute(wanted).mappings():
        schedule = (row["predictor"], row["schedule"])
        if schedule in schedules:
            heads.setdefault(schedule, run_of(row))
    return [*heads.values()]


def _find(connection: Connection, identity: str) -> Run | None:
    row = connection.execute(select(RUNS).where(RUNS.c.id == identity)).mappings().first()
    return None if row is None else run_of(row)


def _replace(connection: Connection, before: Run, after: Run) -> bool:
    """Write a run, if nobody has claimed or finished it since it was read."""
    is_same = and_(RUNS.c.id == before.id, RUNS.c.claims == before.claims, RUNS.c.state == before.state)
    return connection.execute(update(RUNS).where(is_same).values(**row_of(after))).rowcount == 1
