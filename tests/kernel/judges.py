"""What must hold of every engine, each judged bit for bit against the reference. A judge raises DifferenceError."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import SystemRandom

from hypothesis import given, settings
from hypothesis import strategies as st

from unisono.kernel.reference import answer

from .cases import Case, Item, KeyedEvent, Request, clock_of, compare, expected, log_of
from .engines import Engine, Session, StaleError
from .strategies import RolledCase, cases

Judge = Callable[[Engine, Case], None]


def judge_requests(engine: Engine, case: Case) -> None:
    """Every request is answered as the reference says, wherever batches end."""
    compare(case.plan, expected(case), engine.run(case.plan, case.slots, case.items, case.cuts), "in batches")


def judge_single_items(engine: Engine, case: Case) -> None:
    """One item a batch, and keys that appear only when they are needed."""
    session = engine.open(case.plan, 1)
    rows = []
    for item in case.items:
        session.ensure_slots(item.key + 1)
        rows += session.feed([item])
    compare(case.plan, expected(case), rows, "item by item")


def judge_frame(engine: Engine, case: Case) -> None:
    """Key by key gives what log order gives."""
    compare(case.plan, expected(case), engine.frame(case.plan, case.slots, case.items), "key by key")


def judge_partitions(engine: Engine, case: Case) -> None:
    """Each key in states of its own gives what all keys together give."""
    for key in range(case.slots):
        own = tuple(item for item in case.items if item.key == key)
        alone = Case(case.plan, case.slots, own)
        compare(case.plan, expected(alone), engine.run(case.plan, case.slots, own, ()), f"key {key} alone")


def judge_events(engine: Engine, case: Case) -> None:
    """A read after each event sees the log up to that event, and not what is ingested later at the same instant."""
    events = [item for item in case.items if isinstance(item, KeyedEvent)]
    right = [
        answer(case.plan, log_of(events[: index + 1], item.key), item.event.ingest) for index, item in enumerate(events)
    ]
    compare(case.plan, right, engine.open(case.plan, case.slots).follow(events), "after each event")


def judge_advances(engine: Engine, case: Case) -> None:
    """Bringing states up to the present changes no answer."""
    session = engine.open(case.plan, case.slots)
    rows = []
    for part in case.parts():
        rows += session.feed(part)
        if part:
            session.advance(clock_of(part[-1]))
    compare(case.plan, expected(case), rows, "with advances")


def judge_saves(engine: Engine, case: Case) -> None:
    """States that are saved and loaded, into other slots, go on as if they had never been saved."""
    session: Session | None = None
    states = [b""] * case.slots
    rows = []
    for turn, part in enumerate(case.parts()):
        places = [(key + turn) % case.slots for key in range(case.slots)]
        session = engine.open(case.plan, case.slots)
        for key, place in enumerate(places):
            session.load(place, states[key])
        rows += session.feed([_moved(item, places) for item in part])
        states = [session.export(place) for place in places]
    compare(case.plan, expected(case), rows, "saved and loaded")


def _moved(item: Item, places: Sequence[int]) -> Item:
    key = places[item.key]
    return Request(key, item.time) if isinstance(item, Request) else KeyedEvent(key, item.event)


def judge_reads(engine: Engine, case: Case) -> None:
    """A saved state answers for its place in the log at any later time; at an earlier one it does, or says stale."""
    session = engine.open(case.plan, case.slots)
    seen: list[Item] = []
    for part in case.parts():
        session.feed(part)
        seen += part
        for key in range(case.slots):
            _judge_state(engine, case, session.export(key), key, seen)


def _judge_state(engine: Engine, case: Case, state: bytes, key: int, seen: Sequence[Item]) -> None:
    log = log_of(seen, key)
    newest = log[-1].ingest if log else 0
    now = max((clock_of(item) for item in seen if item.key == key), default=0)
    for time in _interesting_times(case, key, now):
        try:
            row = engine.read(case.plan, state, time)
        except StaleError:
            if time >= now:
                raise
            continue
        compare(case.plan, [answer(case.plan, log, time, newest)], [row], f"key {key} read at {time}")


def _interesting_times(case: Case, key: int, now: int) -> list[int]:
    """Now, when something leaves a window or comes to be past, and some earlier instants."""
    times = [event.time for event in log_of(case.items, key)][-4:]
    edges = [time + width for time in times for width in (0, *case.plan.windows) if width is not None]
    return sorted({now, now + 1, *(edge for edge in edges if abs(edge - now) < 2**60)})


def judge_merges(engine: Engine, case: Case) -> None:
    """Parts of the log, folded apart and merged in any order of neighbours, read and go on like the whole."""
    *parts, rest = case.parts()
    merged = [_merged(engine, case, parts, key) for key in range(case.slots)]
    for key, state in enumerate(merged):
        _judge_state(engine, case, state, key, [item for part in parts for item in part])
    session = engine.open(case.plan, case.slots)
    for key, state in enumerate(merged):
        session.load(key, state)
    right = expected(case)
    rows = session.feed(rest)
    compare(case.plan, right[len(right) - len(rows) :], rows, "fed after a merge")


def _merged(engine: Engine, case: Case, parts: Sequence[Sequence[Item]], key: int) -> bytes:
    """One key's state of all parts together. The first part also answers its requests; the others cannot know."""
    states = []
    for index, part in enumerate(parts):
        session = engine.open(case.plan, case.slots, partial=index > 0)
        session.feed([item for item in part if index == 0 or isinstance(item, KeyedEvent)])
        states.append(session.export(key))
    for choice in case.choices[1:]:
        left = choice % (len(states) - 1)
        states[left : left + 2] = [engine.merge(case.plan, states[left], states[left + 1], partial=left > 0)]
    return states[0] if states else b""


JUDGES: Mapping[str, Judge] = {
    "requests": judge_requests,
    "single items": judge_single_items,
    "frame": judge_frame,
    "partitions": judge_partitions,
    "events": judge_events,
    "advances": judge_advances,
    "saves": judge_saves,
    "reads": judge_reads,
    "merges": judge_merges,
}


def try_drawn(strategy: st.SearchStrategy[Case], engine: Engine, judge: Judge, *, share: float = 0.5) -> None:
    """Judge an engine on cases that Hypothesis draws, and shrinks if one fails; `share` is of the round's examples."""

    @settings(max_examples=_examples(engine, share))
    @given(strategy)
    def tried(case: Case) -> None:
        judge(engine, case)

    tried()


def try_rolled(steps: int, engine: Engine, judge: Judge, *, share: float = 1.0) -> None:
    """Judge an engine on cases of seeds: wilder than drawn ones, and as long as one likes."""
    first = 0 if settings().derandomize else SystemRandom().randrange(2**32)
    for seed in range(first, first + _examples(engine, share)):
        rolled = RolledCase(seed, steps)
        try:
            judge(engine, rolled.case())
        except Exception as error:
            error.add_note(f"to see it again: {rolled}.case()")
            raise


def try_all(engine: Engine, judge: Judge) -> None:
    """Judge an engine on short cases, drawn and rolled, and on a few hot keys."""
    try_drawn(cases(), engine, judge)
    try_rolled(60, engine, judge)
    try_rolled(600, engine, judge, share=0.08)


def _examples(engine: Engine, share: float) -> int:
    return max(2, round(settings().max_examples * engine.share * share))
