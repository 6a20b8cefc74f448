"""What becomes of instants: each is decided once, whatever the clock, the downtime and the rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unisono.drivers.schedule.cron import Cron, parse_cron
from unisono.drivers.schedule.rules import (
    MISSED,
    STILL_GOING_ON,
    SUPERSEDED,
    TOO_MANY,
    Decision,
    Rules,
    Skip,
    Start,
    decide,
    is_hopeless,
    next_attempt,
)
from unisono.spec.errors import DefinitionError, InputError, ModelError, StoreError

HOURLY = parse_cron("0 * * * *")
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

rules = st.builds(
    Rules,
    overlap=st.sampled_from(["skip", "queue"]),
    misfire_grace=st.sampled_from([MINUTE, 5 * MINUTE, 3 * HOUR]),
    catch_up=st.sampled_from(["last", "all", "none"]),
    catch_up_limit=st.integers(1, 5),
)
crons = st.sampled_from(["0 * * * *", "*/20 * * * *", "0 3 * * *", "30 2 * * *", "0 0 1 * *"]).map(
    lambda text: parse_cron(text, "Europe/Berlin")
)
looks = st.lists(st.tuples(st.integers(0, 3000).map(lambda minutes: minutes * MINUTE), st.booleans()), max_size=8)


def instants_of(decision: Decision, cron: Cron) -> list[datetime]:
    """What a decision is about."""
    if isinstance(decision, Start):
        return [decision.instant]
    return list(cron.between(decision.first - MINUTE, decision.until - MINUTE))


@given(crons, rules, looks)
def test_every_instant_is_decided_exactly_once(cron: Cron, rules: Rules, looks: list[tuple[timedelta, bool]]) -> None:
    begin = now = after = datetime(2026, 3, 28, 12, tzinfo=UTC)
    decided: list[datetime] = []
    for pause, is_busy in looks:
        now += pause
        for decision in decide(cron, rules, after=after, now=now, is_busy=is_busy):
            decided += instants_of(decision, cron)
        after = now
    assert decided == list(cron.between(begin, now))


@given(crons, rules, st.integers(0, 100_000).map(lambda minutes: minutes * MINUTE), st.booleans())
def test_what_is_skipped_is_skipped_for_its_reason_and_the_rest_is_run(
    cron: Cron, rules: Rules, pause: timedelta, is_busy: bool
) -> None:
    after, now = NOON, NOON + pause
    decisions = decide(cron, rules, after=after, now=now, is_busy=is_busy)
    skipped = {decision.reason: decision for decision in decisions if isinstance(decision, Skip)}
    starts = [decision for decision in decisions if isinstance(decision, Start)]
    assert len(skipped) == sum(isinstance(decision, Skip) for decision in decisions)
    assert len(starts) <= (rules.catch_up_limit if rules.catch_up == "all" else 1)
    for start in starts:
        assert start.is_late == (now - start.instant > rules.misfire_grace)
        assert not (start.is_late and rules.catch_up == "none")
        assert start.is_late or not is_busy or rules.overlap == "queue"
    assert STILL_GOING_ON not in skipped or (is_busy and rules.overlap == "skip")
    assert MISSED not in skipped or rules.catch_up == "none"
    assert SUPERSEDED not in skipped or rules.catch_up == "last"
    assert TOO_MANY not in skipped or rules.catch_up == "all"
    last = list(cron.between(after, now))[-1:]
    wanted = rules.catch_up != "none" or (last and now - last[0] <= rules.misfire_grace)
    if last and wanted and not is_busy:
        assert starts[-1].instant == last[0]


def test_neighbours_that_are_skipped_for_one_reason_are_one_entry() -> None:
    now = NOON + timedelta(days=30) + MINUTE
    (skip, start) = decide(HOURLY, Rules(), after=NOON, now=now, is_busy=False)
    assert skip == Skip(NOON + HOUR, NOON + timedelta(days=30), SUPERSEDED)
    assert start == Start(NOON + timedelta(days=30))


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"catch_up": "last"}, [Skip(NOON + HOUR, NOON + 4 * HOUR, SUPERSEDED), Start(NOON + 4 * HOUR, True)]),
        ({"catch_up": "none"}, [Skip(NOON + HOUR, NOON + 5 * HOUR, MISSED)]),
        ({"catch_up": "all"}, [Start(NOON + hour * HOUR, True) for hour in (1, 2, 3, 4)]),
        (
            {"catch_up": "all", "catch_up_limit": 2},
            [Skip(NOON + HOUR, NOON + 3 * HOUR, TOO_MANY), Start(NOON + 3 * HOUR, True), Start(NOON + 4 * HOUR, True)],
        ),
    ],
)
def test_after_four_hours_without_a_scheduler(changes: dict[str, object], wanted: list[Decision]) -> None:
    rules = replace(Rules(), **changes)  # type: ignore[arg-type]
    assert decide(HOURLY, rules, after=NOON, now=NOON + 4 * HOUR + 30 * MINUTE, is_busy=False) == wanted


@pytest.mark.parametrize(
    ("overlap", "wanted"),
    [("skip", [Skip(NOON + HOUR, NOON + 2 * HOUR, STILL_GOING_ON)]), ("queue", [Start(NOON + HOUR)])],
)
def test_an_instant_that_comes_while_the_last_run_goes_on(overlap: str, wanted: list[Decision]) -> None:
    rules = replace(Rules(), overlap=overlap)  # type: ignore[arg-type]
    assert decide(HOURLY, rules, after=NOON, now=NOON + HOUR, is_busy=True) == wanted


def test_a_minutely_schedule_is_decided_at_once_after_years_of_downtime() -> None:
    looked: list[datetime] = []

    class Counted:
        """Notes each instant that is looked at."""

        def next_after(self, after: datetime) -> datetime:
            looked.append(after)
            return every.next_after(after)

        def between(self, after: datetime, until: datetime):  # type: ignore[no-untyped-def]
            for instant in every.between(after, until):
                looked.append(instant)
                yield instant

    every = parse_cron("* * * * *")
    rules = Rules(catch_up="all", catch_up_limit=100)
    decided = decide(Counted(), rules, after=NOON - timedelta(days=1000), now=NOON, is_busy=False)
    assert len(decided) == 101
    assert len(looked) < 500


def test_attempts_are_further_and_further_apart_up_to_a_limit_and_then_given_up() -> None:
    rules = Rules(retries=7, retry_delay=MINUTE, retry_delay_max=10 * MINUTE)
    at = [next_attempt(rules, failures, NOON) for failures in range(1, 9)]
    assert [None if time is None else (time - NOON) // MINUTE for time in at] == [1, 2, 4, 8, 10, 10, 10, None]
    assert all(earlier <= later for earlier, later in pairwise(at[:-1]) if earlier and later)
    assert next_attempt(Rules(retries=0), 1, NOON) is None
    assert next_attempt(Rules(retries=1000, retry_delay=timedelta(days=36_525)), 1000, NOON) == NOON + HOUR


def test_errors_that_come_again_are_hopeless() -> None:
    assert [is_hopeless(error("")) for error in (DefinitionError, ModelError)] == [True] * 2
    assert [is_hopeless(error("")) for error in (InputError, StoreError, MemoryError)] == [False] * 3
