"""Folding one event or retraction into the state of its key."""

from __future__ import annotations

from unisono.kernel.accumulators import change_rows
from unisono.kernel.descriptor import FLAGS, PLAN, SCRATCH, SCRATCH_RANGES, SLAB, SLOTS
from unisono.kernel.layout import (
    ALL,
    COLUMN_KIND,
    COLUMN_NEEDS,
    FLAG_PARTIAL,
    FLOAT,
    NEEDS_ACCUMULATOR,
    NEEDS_SUM,
    NO_ID,
    NULL_BITS,
    PLAN_COLUMNS,
    PLAN_HAS_ALL,
    PLAN_HAS_IDS,
    PLAN_HORIZON,
    PLAN_STRIDE,
    PLAN_WINDOWS,
    RANGE_EXPONENT,
    RANGE_SQUARE_LIMBS,
    RANGE_SUM_LIMBS,
    RANGE_WORDS,
    STATE_CAPACITY,
    STATE_COUNT,
    STATE_CURSOR,
    STATE_FLAGS,
    STATE_HEAD,
    STATE_LOST,
    STATE_NOW,
    STATE_ROOM,
    STATE_TAILS,
    STATE_TOMBSTONE_ROOM,
    STATE_TOMBSTONES,
    TOMBSTONE_WORDS,
    UNSET,
    accumulator,
    accumulator_words,
    column_words,
    first_accumulator,
    range_words,
    rows_address,
    value_offset,
    window_width,
    words_needed,
)
from unisono.kernel.rows import (
    NOT_FOUND,
    close_row,
    drop_tombstones,
    find_row,
    is_retracted,
    open_row,
    put_tombstone,
    seek,
    tombstones_address,
    tombstones_until,
)
from unisono.kernel.slab import FULL, block_size, free_block, size_for, take_block
from unisono.kernel.state import expired_rows, initialise, lay_out, let_go, slide
from unisono.kernel.values import exponent_of, is_special, larger
from unisono.kernel.words import copy, load, store

FIRST_ROOM = 4  # rows a new state has room for at least
HEADROOM_BITS = 41  # a sign, and 2^40 rows
ROOM_BELOW = 13  # bits below a float column's first value before its range has to widen
MANTISSA_BITS = 53


def state_of(descriptor: int, slot: int) -> int:
    """The address of a slot's state, made empty if there is none; FULL if the slab has no room for it."""
    slab = load(descriptor, SLAB)
    block = load(load(descriptor, SLOTS), slot)
    return slab + 8 * block if block != 0 else new_state(descriptor, slot)


def new_state(descriptor: int, slot: int) -> int:
    """Make an empty state for a slot."""
    slab = load(descriptor, SLAB)
    plan = load(descriptor, PLAN)
    size = size_for(empty_words(plan))
    block = take_block(slab, size)
    if block == FULL:
        return FULL
    store(load(descriptor, SLOTS), slot, block)
    initialise(slab + 8 * block, plan, block_size(size), load(descriptor, FLAGS))
    return slab + 8 * block


def empty_words(plan: int) -> int:
    """An upper bound of the words of a state with room for its first rows."""
    front = first_accumulator(plan)
    for column in range(load(plan, PLAN_COLUMNS)):
        front += accumulator_words(column_words(plan, column), 2, 3) * load(plan, PLAN_WINDOWS)
    return front + FIRST_ROOM * load(plan, PLAN_STRIDE)


def fold_event(descriptor: int, slot: int, row: int, ingest: int, compares: bool) -> int:
    """Fold one event, laid out as a row at `row`; returns the state's address, or FULL and then nothing has changed.

    compares: whether its id is looked for among those remembered.
    """
    plan = load(descriptor, PLAN)
    state = state_of(descriptor, slot)
    if state == FULL:
        return FULL
    store(state, STATE_NOW, larger(load(state, STATE_NOW), ingest))
    time = load(row, 0)
    if load(plan, PLAN_HAS_IDS) != 0 and compares:
        identity = load(row, 1)
        if is_retracted(state, time, identity):
            return state
        if find_row(state, load(plan, PLAN_STRIDE), time, identity) != NOT_FOUND:
            return state
    state = room_for_row(descriptor, slot, state)
    if state == FULL:
        return FULL
    state = range_for_row(descriptor, slot, state, row)
    if state == FULL:
        return FULL
    insert(state, plan, row)
    return state


def fold_late_event(descriptor: int, slot: int, row: int, ingest: int) -> int:
    """Fold an event so old that its id is beyond memory: only the window of all history can still want it."""
    plan = load(descriptor, PLAN)
    if load(plan, PLAN_HAS_ALL) != 0:
        if load(plan, PLAN_HAS_IDS) != 0:
            store(row, 1, NO_ID)
        return fold_event(descriptor, slot, row, ingest, False)
    state = state_of(descriptor, slot)
    if state != FULL:
        store(state, STATE_NOW, larger(load(state, STATE_NOW), ingest))
        store(state, STATE_LOST, larger(load(state, STATE_LOST), load(row, 0)))
    return state


def fold_retraction(descriptor: int, slot: int, time: int, identity: int, ingest: int) -> int:
    """Fold one retraction that is within memory; returns the state's address, or FULL and then nothing has changed."""
    plan = load(descriptor, PLAN)
    state = state_of(descriptor, slot)
    if state == FULL:
        return FULL
    store(state, STATE_NOW, larger(load(state, STATE_NOW), ingest))
    if is_retracted(state, time, identity):
        return state
    state = room_for_tombstone(descriptor, slot, state)
    if state == FULL:
        return FULL
    put_tombstone(state, time, identity)
    row = find_row(state, load(plan, PLAN_STRIDE), time, identity)
    if row != NOT_FOUND:
        remove(state, plan, row)
    return state


def insert(state: int, plan: int, row: int) -> None:
    """Put a row in its place and into every window that holds its time."""
    stride = load(plan, PLAN_STRIDE)
    time = load(row, 0)
    count = load(state, STATE_COUNT)
    place = seek(rows_address(state), stride, count, count, time)
    open_row(state, plan, place)
    copy(rows_address(state) + 8 * stride * place, row, stride)
    if time <= load(state, STATE_CURSOR):
        store(state, STATE_HEAD, load(state, STATE_HEAD) + 1)
        count_row(state, plan, place, time, 1)


def remove(state: int, plan: int, place: int) -> None:
    """Take a row out of its place and of every window that holds it."""
    time = load(rows_address(state), load(plan, PLAN_STRIDE) * place)
    if time <= load(state, STATE_CURSOR):
        count_row(state, plan, place, time, -1)
        store(state, STATE_HEAD, load(state, STATE_HEAD) - 1)
    close_row(state, plan, place)


def count_row(state: int, plan: int, place: int, time: int, direction: int) -> None:
    """A row at or before the cursor comes or goes: windows that hold it change, tails after it shift."""
    cursor = load(state, STATE_CURSOR)
    for window in range(load(plan, PLAN_WINDOWS)):
        width = window_width(plan, window)
        if width != ALL and time <= cursor - width:
            store(state, STATE_TAILS + window, load(state, STATE_TAILS + window) + direction)
        else:
            for column in range(load(plan, PLAN_COLUMNS)):
                change_window(state, plan, column, window, place, direction)


def change_window(state: int, plan: int, column: int, window: int, place: int, direction: int) -> None:
    """Add one row to one accumulator, or take it away."""
    words = column_words(plan, column)
    if load(words, COLUMN_NEEDS) & NEEDS_ACCUMULATOR != 0:
        ranges = range_words(state, plan, column)
        values = rows_address(state) + 8 * value_offset(plan, column)
        target = accumulator(state, ranges, window)
        change_rows(target, words, ranges, values, load(plan, PLAN_STRIDE), place, place + 1, direction)


def room_for_row(descriptor: int, slot: int, state: int) -> int:
    """Make room for one more row: slide if a quarter is of no use any more, else move to a larger block."""
    count = load(state, STATE_COUNT)
    if count < load(state, STATE_ROOM):
        return state
    plan = load(descriptor, PLAN)
    expired = expired_rows(state, plan)
    if expired > 0 and expired * 4 >= count:
        slide(state, plan, expired)
        return state
    left = count - expired
    ranges = range_words(state, plan, 0)
    room = left + left // 4 + 2
    return relocate(descriptor, slot, state, expired, room, load(state, STATE_TOMBSTONE_ROOM), ranges)


def room_for_tombstone(descriptor: int, slot: int, state: int) -> int:
    """Make room for one more tombstone: drop those beyond memory, else move to a larger block."""
    stones = load(state, STATE_TOMBSTONES)
    if stones < load(state, STATE_TOMBSTONE_ROOM):
        return state
    plan = load(descriptor, PLAN)
    keeps_all = load(state, STATE_FLAGS) & FLAG_PARTIAL != 0 and load(plan, PLAN_HAS_ALL) != 0
    if not keeps_all:
        expired = tombstones_until(state, load(state, STATE_NOW) - load(plan, PLAN_HORIZON))
        if expired > 0:
            if load(state, STATE_FLAGS) & FLAG_PARTIAL != 0:
                # The earlier side of a merge may still hold the event: a read so far back has to be refused.
                newest = load(tombstones_address(state), TOMBSTONE_WORDS * (expired - 1))
                store(state, STATE_LOST, larger(load(state, STATE_LOST), newest))
            drop_tombstones(state, expired)
            return state
    room = load(state, STATE_COUNT) + 1
    return relocate(descriptor, slot, state, 0, room, stones + stones // 2 + 2, range_words(state, plan, 0))


def relocate(descriptor: int, slot: int, state: int, expired: int, room: int, tombstone_room: int, ranges: int) -> int:
    """Move a state to a block with room for at least `room` rows; returns its new address, or FULL."""
    slab = load(descriptor, SLAB)
    plan = load(descriptor, PLAN)
    old_size = size_for(load(state, STATE_CAPACITY))
    size = size_for(words_needed(plan, front_for(plan, ranges), room, tombstone_room))
    block = take_block(slab, size)
    if block == FULL:
        return FULL
    let_go(state, plan, expired)
    target = slab + 8 * block
    lay_out(target, state, plan, block_size(size), -1, tombstone_room, expired, ranges)
    slots = load(descriptor, SLOTS)
    free_block(slab, load(slots, slot), old_size)
    store(slots, slot, block)
    return target


def front_for(plan: int, ranges: int) -> int:
    """The words before the rows of a state with these ranges."""
    words = first_accumulator(plan)
    for column in range(load(plan, PLAN_COLUMNS)):
        place = ranges + 8 * RANGE_WORDS * column
        one = accumulator_words(
            column_words(plan, column), load(place, RANGE_SUM_LIMBS), load(place, RANGE_SQUARE_LIMBS)
        )
        words += one * load(plan, PLAN_WINDOWS)
    return words


def range_for_row(descriptor: int, slot: int, state: int, row: int) -> int:
    """Widen the sums of float columns whose range does not hold the row's values; returns the state, or FULL."""
    plan = load(descriptor, PLAN)
    if fits(state, plan, row):
        return state
    ranges = load(descriptor, SCRATCH) + 8 * SCRATCH_RANGES
    copy(ranges, range_words(state, plan, 0), RANGE_WORDS * load(plan, PLAN_COLUMNS))
    for column in range(load(plan, PLAN_COLUMNS)):
        bits = load(row, value_offset(plan, column))
        own = ranges + 8 * RANGE_WORDS * column
        if is_summed(column_words(plan, column), bits) and not holds(own, exponent_of(bits)):
            widen(own, exponent_of(bits))
    room = load(state, STATE_ROOM)
    return relocate(descriptor, slot, state, 0, room, load(state, STATE_TOMBSTONE_ROOM), ranges)


def fits(state: int, plan: int, row: int) -> bool:
    """Do the sums hold the row's values? A column's first value other than zero sets where its range begins."""
    all_fit = True
    for column in range(load(plan, PLAN_COLUMNS)):
        words = column_words(plan, column)
        if load(words, COLUMN_KIND) == FLOAT:
            bits = load(row, value_offset(plan, column))
            if is_summed(words, bits):
                own = range_words(state, plan, column)
                if load(own, RANGE_EXPONENT) == UNSET:
                    store(own, RANGE_EXPONENT, exponent_of(bits) - ROOM_BELOW)
                elif not holds(own, exponent_of(bits)):
                    all_fit = False
    return all_fit


def is_summed(column: int, bits: int) -> bool:
    """Will this value change the sums of a float column?"""
    if load(column, COLUMN_KIND) != FLOAT or load(column, COLUMN_NEEDS) & NEEDS_SUM == 0:
        return False
    return bits != 0 and bits != NULL_BITS and not is_special(bits)


def holds(ranges: int, exponent: int) -> bool:
    """Do sums of this range hold a value whose last bit has this exponent?"""
    above = exponent + MANTISSA_BITS - load(ranges, RANGE_EXPONENT)
    if exponent < load(ranges, RANGE_EXPONENT) or above + HEADROOM_BITS > 64 * load(ranges, RANGE_SUM_LIMBS):
        return False
    squares = load(ranges, RANGE_SQUARE_LIMBS)
    return squares == 0 or 2 * above + HEADROOM_BITS <= 64 * squares


def widen(ranges: int, exponent: int) -> None:
    """Make a range hold a value whose last bit has this exponent: whole limbs more, below or above."""
    lowest = load(ranges, RANGE_EXPONENT)
    below = (lowest - exponent + 63) >> 6 if exponent < lowest else 0
    lowest -= 64 * below
    above = exponent + MANTISSA_BITS - lowest
    sums = load(ranges, RANGE_SUM_LIMBS) + below
    squares = load(ranges, RANGE_SQUARE_LIMBS)
    store(ranges, RANGE_EXPONENT, lowest)
    store(ranges, RANGE_SUM_LIMBS, larger(sums, (above + HEADROOM_BITS + 63) >> 6))
    if squares != 0:
        store(ranges, RANGE_SQUARE_LIMBS, larger(squares + 2 * below, (2 * above + HEADROOM_BITS + 63) >> 6))
