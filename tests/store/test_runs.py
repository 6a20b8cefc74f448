"""The history of runs on SQLite and on PostgreSQL: what holds for one holds for the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.postgres import Postgres
from unisono.spec.errors import InputError, StoreError
from unisono.store.database import open_database
from unisono.store.runs import LostLeaseError, Outcome, Run, Runs, Standing, State

NIGHT = datetime(2026, 11, 26, 3, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KEY = ("late", "nightly")
OUTCOME = Outcome(
    rows=10, seconds=1.5, cpu_seconds=2.5, cost=0.25, currency="EUR", versions=("ab12",), output="scores.parquet"
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a new database, on either."""
    if request.param == "sqlite":
        return str(tmp_path / "runs.db")
    server: Postgres = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture
def runs(url: str) -> Iterator[Runs]:
    """A new history."""
    database = open_database(url)
    yield Runs(database)
    database.close()


def planned(day: int = 0, *, schedule: str = "nightly", **values: object) -> Run:
    """A run that is due."""
    at = NIGHT + timedelta(days=day)
    run = Run(id=f"late.{schedule}.{at:%d}", predictor="late", schedule=schedule, trigger="schedule", scheduled=at)
    return replace(run, **values)  # type: ignore[arg-type]


def add(runs: Runs, *new: Run) -> None:
    """Let them be due."""
    for run in new:
        runs.enrol(*(run.predictor, run.schedule), NIGHT)
        runs.decide(run.predictor, run.schedule, run.scheduled, lambda standing, run=run: [run])  # type: ignore[misc]


def claim(runs: Runs, owner: str = "one", now: datetime = NIGHT) -> Run | None:
    """Take what has waited longest, for a minute."""
    return runs.claim([KEY], owner=owner, now=now, lease=MINUTE)


def claimed(runs: Runs, owner: str = "one", now: datetime = NIGHT) -> Run:
    """The same where there must be something."""
    run = claim(runs, owner, now)
    assert run is not None
    return run


def test_a_schedule_counts_from_when_it_was_first_seen(runs: Runs) -> None:
    seen: list[Standing] = []

    def choose(standing: Standing) -> list[Run]:
        seen.append(standing)
        return [planned()]

    for minutes in (0, 1, 0):
        runs.enrol(*KEY, NIGHT + minutes * MINUTE)
        runs.decide(*KEY, NIGHT + minutes * MINUTE, choose)
    assert seen == [Standing(NIGHT, False), Standing(NIGHT, True), Standing(NIGHT + MINUTE, True)]


def test_a_schedule_that_was_never_enrolled_is_refused(runs: Runs) -> None:
    with pytest.raises(StoreError, match="schedule nightly of predictor late is not known; enrol it first"):
        runs.decide(*KEY, NIGHT, lambda standing: [])


def test_a_run_is_added_once_whoever_adds_it(runs: Runs) -> None:
    runs.enrol(*KEY, NIGHT)
    first = runs.decide(*KEY, NIGHT, lambda standing: [planned()])
    again = runs.decide(*KEY, NIGHT, lambda standing: [planned(), planned(1)])
    assert [[run.id for run in new] for new in (first, again)] == [["late.nightly.26"], ["late.nightly.27"]]


def test_a_decision_that_fails_leaves_nothing(runs: Runs) -> None:
    def fail(standing: Standing) -> list[Run]:
        raise InputError("no")

    runs.enrol(*KEY, NIGHT)
    with pytest.raises(InputError):
        runs.decide(*KEY, NIGHT + MINUTE, fail)
    runs.decide(*KEY, NIGHT + MINUTE, lambda standing: [planned()] if standing.decided_until == NIGHT else [])
    assert runs.is_known("late.nightly.26")


def test_a_run_is_claimed_by_one_and_done(runs: Runs) -> None:
    add(runs, planned())
    run = claimed(runs)
    assert (run.state, run.owner, run.claims, run.lease_until) == (State.RUNNING, "one", 1, NIGHT + MINUTE)
    assert claim(runs, "two") is None
    done = runs.finish(run, OUTCOME, now=NIGHT + 2 * MINUTE)
    assert runs.run(run.id) == done
    assert (done.state, done.rows, done.versions, done.ended) == (State.DONE, 10, ("ab12",), NIGHT + 2 * MINUTE)
    assert claim(runs, "two", NIGHT + timedelta(days=9)) is None


def test_runs_of_one_schedule_wait_for_each_other_and_others_do_not(runs: Runs) -> None:
    add(runs, planned(0), planned(1), planned(2, schedule="hourly"))
    both = [KEY, ("late", "hourly")]
    first = runs.claim(both, owner="one", now=NIGHT, lease=MINUTE)
    other = runs.claim(both, owner="two", now=NIGHT, lease=MINUTE)
    assert first is not None and other is not None
    assert (first.id, other.id) == ("late.nightly.26", "late.hourly.28")
    runs.fail(first, "full", now=NIGHT, retry_at=NIGHT + MINUTE)
    assert claim(runs) is None
    again = claimed(runs, now=NIGHT + MINUTE)
    assert (again.id, again.failures, again.error) == (first.id, 1, "full")
    runs.fail(again, "full", now=NIGHT, retry_at=None)
    assert runs.run(first.id).state is State.GAVE_UP
    assert claimed(runs).id == "late.nightly.27"


def test_a_run_whose_lease_is_over_is_lost_and_gone_on_with(runs: Runs) -> None:
    add(runs, planned())
    first = claimed(runs, "one")
    before, after = NIGHT + MINUTE - timedelta(microseconds=1), NIGHT + MINUTE
    assert runs.run(first.id).as_of(before).state is State.RUNNING
    assert runs.run(first.id).as_of(after).state is State.LOST
    assert claim(runs, "two", before) is None
    second = claimed(runs, "two", after)
    assert (second.id, second.failures, second.claims) == (first.id, 1, 2)
    too_late: list[Callable[[], Run]] = [
        lambda: runs.renew(first, now=after, lease=MINUTE),
        lambda: runs.finish(first, OUTCOME, now=after),
        lambda: runs.fail(first, "no", now=after, retry_at=None),
        lambda: runs.release(first),
    ]
    for late in too_late:
        with pytest.raises(LostLeaseError, match="it is not one's any more"):
            late()
    assert runs.run(first.id) == second


def test_a_lease_that_is_renewed_lasts(runs: Runs) -> None:
    add(runs, planned())
    run = runs.renew(claimed(runs), now=NIGHT + MINUTE, lease=MINUTE)
    assert claim(runs, "two", NIGHT + MINUTE) is None
    assert runs.finish(run, OUTCOME, now=NIGHT + MINUTE).state is State.DONE


def test_a_run_that_is_released_is_gone_on_with_and_has_not_failed(runs: Runs) -> None:
    add(runs, planned())
    runs.release(claimed(runs))
    again = claimed(runs, "two")
    assert (again.failures, again.claims) == (0, 2)


def test_runs_are_listed_by_predictor_and_state(runs: Runs) -> None:
    skipped = planned(1, state=State.SKIPPED, until=NIGHT + timedelta(days=2), reason="missed")
    add(runs, planned(0), skipped, planned(2, schedule="hourly"))
    claimed(runs)
    now, later = NIGHT, NIGHT + MINUTE
    assert [run.id[-2:] for run in runs.latest(now=now)] == ["28", "27", "26"]
    assert [run.id[-2:] for run in runs.latest(now=now, limit=1)] == ["28"]
    assert runs.latest(now=now, predictor="early") == []
    found = {state: [run.id[-2:] for run in runs.latest(now=now, state=state)] for state in State}
    assert {state: ids for state, ids in found.items() if ids} == {
        "queued": ["28"],
        "running": ["26"],
        "skipped": ["27"],
    }
    assert [run.state for run in runs.latest(now=later, state=State.LOST)] == [State.LOST]
    assert runs.latest(now=later, state=State.RUNNING) == []
    assert runs.latest(now=now, state=State.SKIPPED) == [skipped]


def test_a_run_that_is_not_there_is_refused(runs: Runs) -> None:
    with pytest.raises(InputError, match=r'run "late\.nightly\.01": there is none'):
        runs.run("late.nightly.01")


def test_many_at_once_decide_and_claim_each_run_once(url: str) -> None:
    days = 20

    def work(owner: int) -> list[str]:
        database = open_database(url)
        runs, done = Runs(database), []
        runs.enrol(*KEY, NIGHT)
        for day in range(days):
            runs.decide(*KEY, NIGHT + timedelta(days=day), lambda standing, day=day: [planned(day)])  # type: ignore[misc]
            while (run := claim(runs, str(owner))) is not None:
                runs.finish(run, OUTCOME, now=NIGHT)
                done.append(run.id)
        database.close()
        return done

    with ThreadPoolExecutor(4) as pool:
        done = [identity for ids in pool.map(work, range(4)) for identity in ids]
    assert sorted(done) == sorted({planned(day).id for day in range(days)})
