"""Many events and requests of many keys in one call, in log order or sorted by key."""

from __future__ import annotations

from unisono.kernel.cursor import move
from unisono.kernel.descriptor import (
    ANSWERS,
    AT,
    DONE,
    EMIT,
    EMIT_EVENTS,
    EMIT_REQUESTS,
    EVENT_ID,
    EVENT_INGEST,
    EVENT_KEY,
    EVENT_RETRACTION,
    EVENT_TIME,
    EVENT_VALUES,
    FLAGS,
    NEEDS_SLAB,
    ORDER,
    PLAN,
    REFUSED_STALE,
    REQUEST_KEY,
    REQUEST_TIME,
    REUSE,
    SCRATCH,
    SCRATCH_ROW,
    SLAB,
    SLOTS,
    START,
    STOP,
)
from unisono.kernel.emit import emit
from unisono.kernel.fold import fold_event, fold_late_event, fold_retraction, state_of
from unisono.kernel.layout import (
    COLUMN_KIND,
    FLOAT,
    PLAN_COLUMNS,
    PLAN_HAS_ALL,
    PLAN_HAS_IDS,
    PLAN_HORIZON,
    PLAN_OUTPUTS,
    PLAN_STRIDE,
    PLAN_WIDEST,
    PLAN_WINDOWS,
    STATE_CAPACITY,
    STATE_COUNT,
    STATE_LOST,
    STATE_NOW,
    STATE_TAILS,
    column_words,
    rows_address,
)
from unisono.kernel.slab import FULL
from unisono.kernel.state import initialise
from unisono.kernel.values import canonical, larger
from unisono.kernel.words import load, load_byte, load_int32, prefetch, store

# How far ahead the next states are fetched into the cache: first the header, then, when it is there, the rows.
FAR_AHEAD = 14
NEAR_AHEAD = 6
LINE_WORDS = 8
FRONT_LINES = 8
NO_SLOT = -1


def replay(descriptor: int) -> int:
    """Fold and answer operations START to STOP; see descriptor.py.

    Returns the operation it stopped at: STOP when all is done. If the slab became full it is the one to go on with
    after the slab has grown. REFUSED_STALE: AT tells which operation asked for what has been let go of.
    """
    stop = load(descriptor, STOP)
    reuse = load(descriptor, REUSE) != 0
    start = load(descriptor, START)
    # Going on after the slab has grown, the state belongs to the key of the operation before.
    last_slot = slot_of(descriptor, start - 1) if start > 0 else NO_SLOT
    for index in range(start, stop):
        if reuse:
            fetch_event(descriptor, index, stop)
            slot = slot_of(descriptor, index)
            if slot != last_slot:
                begin_key(descriptor)
                last_slot = slot
        else:
            fetch_ahead(descriptor, index, stop)
        outcome = operate(descriptor, index, reuse)
        if outcome == NEEDS_SLAB:
            return index
        if outcome != DONE:
            store(descriptor, AT, index)
            return outcome
    return stop


def operate(descriptor: int, index: int, reuse: bool) -> int:
    """Carry out one operation."""
    order = load(descriptor, ORDER)
    operation = load_int32(order, index) if order != 0 else index
    slot = slot_of(descriptor, index)
    if reuse:
        slot = 0
    if operation < 0:
        if load(descriptor, EMIT) != EMIT_REQUESTS:
            return DONE
        state = state_of(descriptor, slot)
        if state == FULL:
            return NEEDS_SLAB
        return answer(descriptor, state, load(load(descriptor, REQUEST_TIME), ~operation), ~operation)
    state = fold(descriptor, slot, operation)
    if state == FULL:
        return NEEDS_SLAB
    if load(descriptor, EMIT) == EMIT_EVENTS:
        return answer(descriptor, state, load(load(descriptor, EVENT_INGEST), operation), operation)
    return DONE


def slot_of(descriptor: int, index: int) -> int:
    """The slot of one operation's key."""
    order = load(descriptor, ORDER)
    operation = load_int32(order, index) if order != 0 else index
    if operation < 0:
        return load_int32(load(descriptor, REQUEST_KEY), ~operation)
    return load_int32(load(descriptor, EVENT_KEY), operation)


def begin_key(descriptor: int) -> None:
    """Empty the one state that serves one key after the other."""
    block = load(load(descriptor, SLOTS), 0)
    if block != 0:
        state = load(descriptor, SLAB) + 8 * block
        initialise(state, load(descriptor, PLAN), load(state, STATE_CAPACITY), load(descriptor, FLAGS))


def fetch_ahead(descriptor: int, index: int, stop: int) -> None:
    """Ask the cache for what later operations will touch: memory latency is most of a streaming event's cost."""
    slab = load(descriptor, SLAB)
    slots = load(descriptor, SLOTS)
    if index + FAR_AHEAD < stop:
        state = slab + 8 * load(slots, slot_of(descriptor, index + FAR_AHEAD))
        for line in range(FRONT_LINES):
            prefetch(state, LINE_WORDS * line)
    if index + NEAR_AHEAD < stop:
        block = load(slots, slot_of(descriptor, index + NEAR_AHEAD))
        if block != 0:
            fetch_rows(slab + 8 * block, load(descriptor, PLAN))


def fetch_event(descriptor: int, index: int, stop: int) -> None:
    """Ask for a later operation's event: sorted by key, the batch's arrays are read all over the place."""
    order = load(descriptor, ORDER)
    if order == 0 or index + FAR_AHEAD >= stop:
        return
    event = load_int32(order, index + FAR_AHEAD)
    if event < 0:
        prefetch(load(descriptor, REQUEST_KEY), ~event >> 1)
        prefetch(load(descriptor, REQUEST_TIME), ~event)
        return
    plan = load(descriptor, PLAN)
    prefetch(load(descriptor, EVENT_KEY), event >> 1)
    prefetch(load(descriptor, EVENT_TIME), event)
    prefetch(load(descriptor, EVENT_INGEST), event)
    if load(plan, PLAN_HAS_IDS) != 0:
        prefetch(load(descriptor, EVENT_ID), event)
    for column in range(load(plan, PLAN_COLUMNS)):
        prefetch(load(load(descriptor, EVENT_VALUES), column), event)


def fetch_rows(state: int, plan: int) -> None:
    """Ask for the newest rows and those at the tails."""
    rows = rows_address(state)
    stride = load(plan, PLAN_STRIDE)
    prefetch(rows, stride * load(state, STATE_COUNT))
    for window in range(load(plan, PLAN_WINDOWS)):
        prefetch(rows, stride * load(state, STATE_TAILS + window))


def fold(descriptor: int, slot: int, event: int) -> int:
    """Fold one event of the batch; returns the state's address or FULL."""
    plan = load(descriptor, PLAN)
    time = load(load(descriptor, EVENT_TIME), event)
    ingest = load(load(descriptor, EVENT_INGEST), event)
    remembered = time > ingest - load(plan, PLAN_HORIZON)
    retractions = load(descriptor, EVENT_RETRACTION)
    if retractions != 0 and load_byte(retractions, event) != 0:
        if not remembered:
            return fold_late_retraction(descriptor, slot, time, ingest)
        identity = load(load(descriptor, EVENT_ID), event)
        return fold_retraction(descriptor, slot, time, identity, ingest)
    row = stage(descriptor, event, time)
    if remembered:
        return fold_event(descriptor, slot, row, ingest, True)
    return fold_late_event(descriptor, slot, row, ingest)


def fold_late_retraction(descriptor: int, slot: int, time: int, ingest: int) -> int:
    """A retraction beyond memory does nothing, but a read so far back that it could have mattered is refused."""
    state = state_of(descriptor, slot)
    if state != FULL:
        store(state, STATE_NOW, larger(load(state, STATE_NOW), ingest))
        if load(load(descriptor, PLAN), PLAN_HAS_ALL) == 0:
            store(state, STATE_LOST, larger(load(state, STATE_LOST), time))
    return state


def stage(descriptor: int, event: int, time: int) -> int:
    """Write one event of the batch as a row into scratch memory; returns its address."""
    plan = load(descriptor, PLAN)
    row = load(descriptor, SCRATCH) + 8 * SCRATCH_ROW
    store(row, 0, time)
    place = 1
    if load(plan, PLAN_HAS_IDS) != 0:
        store(row, 1, load(load(descriptor, EVENT_ID), event))
        place = 2
    values = load(descriptor, EVENT_VALUES)
    for column in range(load(plan, PLAN_COLUMNS)):
        value = load(load(values, column), event)
        if load(column_words(plan, column), COLUMN_KIND) == FLOAT:
            value = canonical(value)
        store(row, place + column, value)
    return row


def answer(descriptor: int, state: int, time: int, row: int) -> int:
    """Read the state at `time` into one row of the answers."""
    plan = load(descriptor, PLAN)
    if is_stale(state, plan, time):
        return REFUSED_STALE
    move(state, plan, time)
    emit(descriptor, state, plan, load(descriptor, ANSWERS) + 8 * load(plan, PLAN_OUTPUTS) * row)
    return DONE


def is_stale(state: int, plan: int, time: int) -> bool:
    """Would a read at `time` want an event that has been let go of?"""
    lost = load(state, STATE_LOST)
    if load(plan, PLAN_HAS_ALL) != 0 and time < lost:
        return True
    widest = load(plan, PLAN_WIDEST)
    return widest > 0 and time - widest < lost
