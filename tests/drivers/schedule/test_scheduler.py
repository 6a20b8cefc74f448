"""The scheduler on a clock that the test moves: downtime, overlap, failures, deaths, and others beside it."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.drivers.schedule.worlds import HOUR, MINUTE, NOON, World, a_schedule, a_world, finish, wait_for
from tests.postgres import Postgres
from unisono.drivers.schedule.scheduler import Scheduler
from unisono.spec.errors import DefinitionError, StoreError
from unisono.store.runs import State

WAYS = ["go on", "go on", "fail", "die"]


def test_each_instant_is_run_when_it_comes(tmp_path: Path) -> None:
    with a_world(tmp_path / "runs.db", a_schedule()) as world:
        scheduler = world.scheduler()
        for minutes in (0, 59, 60, 61, 119, 120):
            world.now = NOON + minutes * MINUTE
            finish(scheduler)
        assert world.work.done == ["risk.hourly.20261126T130000Z", "risk.hourly.20261126T140000Z"]
        assert [(run.state, run.trigger, run.started) for run in world.history()] == [
            (State.DONE, "schedule", NOON + HOUR),
            (State.DONE, "schedule", NOON + 2 * HOUR),
        ]
        assert [run.state for run in world.told][:3] == [State.QUEUED, State.RUNNING, State.DONE]


@pytest.mark.parametrize(
    ("rules", "states"),
    [
        ({"catch_up": "last"}, ["13 skipped", "16 done"]),
        ({"catch_up": "none"}, ["13 skipped"]),
        ({"catch_up": "all"}, ["13 done", "14 done", "15 done", "16 done"]),
        ({"catch_up": "all", "catch_up_limit": 2}, ["13 skipped", "15 done", "16 done"]),
        ({"catch_up": "none", "misfire_grace": "1h"}, ["13 skipped", "16 done"]),
    ],
)
def test_after_downtime_missed_instants_are_caught_up_as_the_rules_say(
    rules: dict[str, Any], states: list[str], tmp_path: Path
) -> None:
    with a_world(tmp_path / "runs.db", a_schedule(**rules)) as world:
        finish(world.scheduler())
        world.now = NOON + 4 * HOUR + 30 * MINUTE
        finish(world.scheduler("another"))
        assert world.states() == states
        finish(world.scheduler("a third"))
        assert world.states() == states


@pytest.mark.parametrize(
    ("overlap", "states"),
    [("skip", ["13 done", "14 skipped", "15 skipped"]), ("queue", ["13 done", "14 done", "15 done"])],
)
def test_an_instant_that_comes_while_the_last_run_goes_on(overlap: str, states: list[str], tmp_path: Path) -> None:
    with a_world(tmp_path / "runs.db", a_schedule(overlap=overlap)) as world:
        world.work.held.add("risk.hourly.20261126T130000Z")
        scheduler = world.scheduler()
        scheduler.lease = 9 * HOUR
        for hours in (1, 2, 3):
            world.now = NOON + hours * HOUR
            scheduler.step()
        assert world.states()[0] == "13 running"
        world.work.go.set()
        scheduler.settle()
        finish(scheduler)
        assert world.states() == states
        skipped = [run.reason for run in world.history() if run.state is State.SKIPPED]
        assert skipped == ["an earlier run was not finished"] * len(skipped)


def test_a_failed_run_is_tried_again_later_and_later_and_then_given_up(tmp_path: Path) -> None:
    with a_world(tmp_path / "runs.db", a_schedule(retries=2, retry_delay="1m", overlap="queue")) as world:
        world.work.failures["risk.hourly.20261126T130000Z"] = [
            OSError("no disk"),
            StoreError("full"),
            StoreError("3rd"),
        ]
        scheduler = world.scheduler()
        world.now = NOON + HOUR
        for pause, state, error in [
            (0, State.FAILED, "OSError: no disk"),
            (59, State.FAILED, "OSError: no disk"),
            (1, State.FAILED, "full"),
            (119, State.FAILED, "full"),
            (1, State.GAVE_UP, "3rd"),
            (9999, State.GAVE_UP, "3rd"),
        ]:
            world.now += timedelta(seconds=pause)
            finish(scheduler)
            (run,) = [run for run in world.history() if run.scheduled == NOON + HOUR]
            assert (run.state, run.error) == (state, error)
        assert (run.failures, run.retry_at) == (3, None)
        assert world.work.done == ["risk.hourly.20261126T150000Z"]
        assert [str(error) for error in scheduler.errors] == ["no disk", "full", "3rd"]


def test_wrong_definitions_are_not_tried_again(tmp_path: Path) -> None:
    with a_world(tmp_path / "runs.db", a_schedule()) as world:
        world.work.failures["risk.hourly.20261126T130000Z"] = [DefinitionError("line 3")]
        scheduler = world.scheduler()
        world.now = NOON + HOUR
        finish(scheduler)
        assert world.states() == ["13 gave up"]


def test_a_run_whose_scheduler_died_is_gone_on_with_once_its_lease_is_over(tmp_path: Path) -> None:
    with a_world(tmp_path / "runs.db", a_schedule()) as world:
        world.work.held.add("risk.hourly.20261126T130000Z")
        dead, heir = world.scheduler("dead"), world.scheduler("heir")
        world.now = NOON + HOUR
        dead.step()
        world.now += timedelta(seconds=59)
        heir.step()
        assert (heir.is_idle, world.states()) == (True, ["13 running"])
        world.now += timedelta(seconds=1)
        assert world.states() == ["13 lost"]
        world.work.held.clear()
        finish(heir)
        (run,) = world.history()
        assert (run.state, run.owner, run.failures, run.claims) == (State.DONE, "heir", 1, 2)
        world.work.go.set()  # it was not dead, only asleep
        dead.settle()
        assert world.history() == [run]
        assert [message.partition(";")[0] for message in world.warned] == [
            "run risk.hourly.20261126T130000Z: it is not dead's any more (the lease ended at 2026-11-26 13:01:00+00:00)"
        ]


def test_a_run_that_kills_whoever_does_it_is_given_up(tmp_path: Path) -> None:
    with a_world(tmp_path / "runs.db", a_schedule(retries=2)) as world:
        world.work.held.add("risk.hourly.20261126T130000Z")
        finish(world.scheduler())
        world.now = NOON + HOUR
        for number in range(5):
            world.scheduler(f"victim {number}").step()
            world.now += MINUTE
        (run,) = world.history()
        assert (run.state, run.failures, run.error) == (State.GAVE_UP, 3, "victim 2 died, or lost its lease")
        assert len(world.work.begun) == 3


def test_a_long_run_keeps_its_lease(tmp_path: Path) -> None:
    with a_world(tmp_path / "runs.db", a_schedule()) as world:
        world.work.held.add("risk.hourly.20261126T130000Z")
        busy, other = world.scheduler("busy"), world.scheduler("other")
        world.now = NOON + HOUR
        for _ in range(30):
            busy.step()
            other.step()
            world.now += timedelta(seconds=15)
        world.work.go.set()
        busy.settle()
        (run,) = world.history()
        assert (run.state, run.owner, run.claims) == (State.DONE, "busy", 1)


def test_a_scheduler_whose_history_is_away_goes_on_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_world(tmp_path / "runs.db", a_schedule()) as world:
        scheduler, stop = world.scheduler(), threading.Event()
        world.now = NOON + HOUR
        away = [StoreError("the database is away")] * 2
        claim = world.runs.claim

        def claim_later(*given: object, **named: object) -> object:
            if away:
                raise away.pop()
            return claim(*given, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(world.runs, "claim", claim_later)
        monkeypatch.setattr("unisono.drivers.schedule.scheduler.STEP_S", 0.01)
        while not world.work.done:
            scheduler.run_until(stop, once=True)
        assert world.states() == ["13 done"]
        assert world.warned == ["the database is away; it is tried again"]


@pytest.mark.slow
def test_a_database_that_is_restarted_during_a_run_loses_nothing(postgres: Postgres) -> None:
    with a_world(postgres.database(), a_schedule()) as world:
        world.work.held.add("risk.hourly.20261126T130000Z")
        scheduler = world.scheduler()
        world.now = NOON + HOUR
        scheduler.step()
        postgres.stop()
        try:
            world.now += timedelta(seconds=30)
            with pytest.raises(StoreError):  # the lease cannot be renewed
                scheduler.step()
            world.work.go.set()
            with pytest.raises(StoreError):  # nor can it be written down that it is done
                scheduler.settle()
            assert not scheduler.is_idle
        finally:
            postgres.start()
        finish(scheduler)
        assert (world.states(), world.work.begun) == (["13 done"], ["risk.hourly.20261126T130000Z"])


def test_a_scheduler_that_is_told_to_stop_stops_at_a_checkpoint_and_another_goes_on(tmp_path: Path) -> None:
    with a_world(tmp_path / "runs.db", a_schedule()) as world:
        world.work.held.add("risk.hourly.20261126T130000Z")
        stop, scheduler = threading.Event(), world.scheduler()
        world.now = NOON + HOUR
        scheduler.step()
        stop.set()
        threading.Timer(0.05, world.work.go.set).start()
        scheduler.run_until(stop)
        (run,) = world.history()
        assert (run.state, run.failures, run.claims, world.work.done) == (State.QUEUED, 0, 1, [])
        finish(world.scheduler("another"))
        assert world.states() == ["13 done"]


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[int, int, str]]:
    """Minutes that pass, which of two schedulers looks then, and what becomes of the run that it begins, if any."""
    one = st.tuples(st.integers(0, 200), st.integers(0, 1), st.sampled_from(WAYS))
    return draw(st.lists(one, max_size=12))


@pytest.mark.slow
@settings(max_examples=30)
@given(lives(), st.sampled_from(["last", "all", "none"]), st.sampled_from(["skip", "queue"]))
def test_whatever_happens_each_instant_is_done_at_most_once_and_none_is_forgotten(
    life: list[tuple[int, int, str]], catch_up: str, overlap: str
) -> None:
    schedule = a_schedule(catch_up=catch_up, overlap=overlap, retries=50, retry_delay="1m", retry_delay_max="1m")
    with TemporaryDirectory() as folder, a_world(Path(folder) / "runs.db", schedule) as world:
        schedulers = [world.scheduler("one"), world.scheduler("two")]
        for minutes, which, way in life:
            world.now += minutes * MINUTE
            _live(world, schedulers, which, way)
        last = world.scheduler("last")
        while True:
            world.now += 2 * MINUTE  # every lease is over, every pause too
            finish(last)
            if not {run.state for run in world.history()} - {State.DONE, State.SKIPPED}:
                break
        assert all(number == 1 for number in Counter(world.work.done).values())
        _check_that_nothing_is_forgotten(world)


def _live(world: World, schedulers: list[Scheduler], which: int, way: str) -> None:
    """One look of one scheduler, which may fail at what it begins, or die of it and be started again."""
    before = len(world.work.begun)
    failures = world.work.failures
    if way == "fail":
        failures.update({run.id: [StoreError("no")] for run in world.history() if run.state is not State.DONE})
    scheduler = schedulers[which]
    world.work.holds_all = way == "die"
    scheduler.step()
    if not scheduler.is_idle:
        wait_for(lambda: len(world.work.begun) > before)
    world.work.holds_all = False
    if way == "die":
        schedulers[which] = world.scheduler(f"{scheduler.owner}'")
        return
    scheduler.settle()
    failures.clear()


def _check_that_nothing_is_forgotten(world: World) -> None:
    covered = Counter[str]()
    for run in world.history():
        hour = run.scheduled
        while hour < (run.until or run.scheduled + MINUTE):
            covered[f"{hour:%d %H}"] += 1
            hour += HOUR
    hours = int((world.now - NOON) / HOUR)
    assert covered == Counter(f"{NOON + hour * HOUR:%d %H}" for hour in range(1, hours + 1))
