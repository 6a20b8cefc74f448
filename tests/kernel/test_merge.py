"""States of neighbouring parts of a log merge, in any order of neighbours, into the state of the whole."""

from __future__ import annotations

import pytest

from unisono.kernel.plan import Column, Output, Plan
from unisono.kernel.reference import Event

from .cases import Case, Item, KeyedEvent, Request
from .engines import Engine
from .judges import judge_merges, try_all

PLAN = Plan((Column("fixed"),), (10, None), (Output("sum", 0, 0), Output("sum", 0, 1), Output("last", 0, 1)), True, 30)


def test_parts_merge_into_the_whole(engine: Engine) -> None:
    try_all(engine, judge_merges)


def event(ingest: int, time: int, value: int, identity: int, *, retracts: bool = False) -> KeyedEvent:
    """An event of key 0."""
    return KeyedEvent(0, Event(time, ingest, (value,), identity, retracts))


TOLD = {
    "a duplicate in a later part does nothing": [event(1, 1, 5, 7), event(2, 1, 6, 7)],
    "a retraction in a later part removes": [event(1, 1, 5, 7), event(2, 1, 0, 7, retracts=True)],
    "a retraction in an earlier part comes first": [event(1, 3, 0, 7, retracts=True), event(4, 3, 5, 7)],
    "a duplicate after both does nothing": [event(1, 1, 5, 7), event(2, 1, 0, 7, retracts=True), event(3, 1, 6, 7)],
    "memory ends between the parts": [event(1, 1, 5, 7), event(31, 1, 6, 7), event(32, 1, 0, 7, retracts=True)],
    "memory does not end yet": [event(1, 1, 5, 7), event(30, 1, 6, 7)],
    "what is beyond memory only in the later part": [event(1, 1, 5, 7), event(90, 90, 1, 8), event(91, 1, 6, 7)],
    "ties of time follow the log over parts": [event(1, 1, 5, 7), event(1, 1, 6, 8), event(1, 1, 4, 9)],
}


@pytest.mark.parametrize("told", TOLD)
@pytest.mark.parametrize("choices", [(0, 0, 0, 0), (1, 1, 1, 1), (2, 0, 1, 0)])
def test_what_parts_say_of_each_other_holds(engine: Engine, told: str, choices: tuple[int, ...]) -> None:
    events = TOLD[told]
    items: tuple[Item, ...] = (*events, *(Request(0, events[-1].event.ingest + later) for later in (0, 5, 40)))
    cuts = tuple(range(1, len(events) + 1))
    judge_merges(engine, Case(PLAN, 1, items, cuts, choices[: len(cuts)]))


def test_a_read_further_back_does_not_overlook_what_a_later_part_retracted_long_ago(engine: Engine) -> None:
    """It may be refused, but it must not hold the event: the later part alone knew of its retraction."""
    finite = Plan((Column("fixed"),), (2, 3), (Output("last", 0, 0),), True, 5)
    late = [event(51, 51, 0, identity, retracts=True) for identity in (0, -1)]
    items = (event(23, 23, 1, 7), event(23, 23, 0, 7, retracts=True), *late)
    judge_merges(engine, Case(finite, 1, items, (1, len(items)), (0, 0)))


def test_nothing_merges_with_anything(engine: Engine) -> None:
    session = engine.open(PLAN, 1)
    session.feed([event(1, 1, 5, 7)])
    state = session.export(0)
    assert engine.merge(PLAN, b"", b"") == b""
    for merged in (engine.merge(PLAN, state, b""), engine.merge(PLAN, b"", state)):
        assert engine.read(PLAN, merged, 2) == (5.0, 5.0, 5.0)
