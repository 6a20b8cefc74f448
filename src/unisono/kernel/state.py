"""A state's life: made empty, cleared of what no read can want, laid out anew when it needs more room or range."""

from __future__ import annotations

from unisono.kernel.accumulators import clear
from unisono.kernel.cursor import move
from unisono.kernel.layout import (
    ACC_SPECIALS,
    ACC_SUM,
    BASE_FIRST,
    BASE_FIRST_TIME,
    BASE_LAST,
    BASE_LAST_TIME,
    BASE_MAX,
    BASE_MIN,
    BEGINNING,
    COLUMN_KIND,
    COLUMN_NEEDS,
    FLAG_PARTIAL,
    FLOAT,
    LARGEST,
    NAN_BITS,
    NEEDS_ACCUMULATOR,
    NEEDS_SQUARES,
    NEEDS_SUM,
    NULL_BITS,
    NULL_INT,
    PLAN_COLUMNS,
    PLAN_HAS_ALL,
    PLAN_HORIZON,
    PLAN_ID,
    PLAN_STRIDE,
    PLAN_WINDOWS,
    RANGE_ACCUMULATOR_WORDS,
    RANGE_CHOICE,
    RANGE_EXPONENT,
    RANGE_SQUARE_LIMBS,
    RANGE_SUM_LIMBS,
    RANGE_WORDS,
    SMALLEST,
    STATE_BASE_COUNT,
    STATE_BLOCKS_VALID,
    STATE_CAPACITY,
    STATE_COUNT,
    STATE_CURSOR,
    STATE_FLAGS,
    STATE_HEAD,
    STATE_LOST,
    STATE_NOW,
    STATE_PLAN,
    STATE_ROWS_AT,
    STATE_TAILS,
    STATE_TOMBSTONES,
    STATE_VERSION,
    TOMBSTONE_WORDS,
    UNSET,
    VERSION,
    accumulator,
    base_words,
    column_words,
    first_accumulator,
    place_accumulators,
    place_regions,
    range_words,
    room_within,
    rows_address,
    value_offset,
)
from unisono.kernel.rows import seek, tombstones_address
from unisono.kernel.values import larger, ordering_key, smaller
from unisono.kernel.words import copy, fill, load, store

FIRST_SUM_LIMBS = 2
FIRST_SQUARE_LIMBS = 3


def initialise(state: int, plan: int, capacity: int, flags: int) -> None:
    """Make an empty state in `capacity` words."""
    fill(state, first_accumulator(plan), 0)
    store(state, STATE_VERSION, VERSION)
    store(state, STATE_PLAN, load(plan, PLAN_ID))
    store(state, STATE_CAPACITY, capacity)
    store(state, STATE_FLAGS, flags)
    store(state, STATE_CURSOR, BEGINNING)
    store(state, STATE_LOST, BEGINNING)
    store(state, STATE_NOW, BEGINNING)
    for column in range(load(plan, PLAN_COLUMNS)):
        first_limbs(state, plan, column)
        if load(plan, PLAN_HAS_ALL) != 0:
            clear_base(state, plan, column)
    front = place_accumulators(state, plan)
    for column in range(load(plan, PLAN_COLUMNS)):
        clear_accumulators(state, plan, column)
    place_regions(state, plan, front, room_within(plan, front, capacity, 0), 0)


def first_limbs(state: int, plan: int, column: int) -> None:
    """As many limbs as a column begins with."""
    needs = load(column_words(plan, column), COLUMN_NEEDS)
    ranges = range_words(state, plan, column)
    store(ranges, RANGE_EXPONENT, UNSET)
    store(ranges, RANGE_SUM_LIMBS, FIRST_SUM_LIMBS if needs & NEEDS_SUM != 0 else 0)
    store(ranges, RANGE_SQUARE_LIMBS, FIRST_SQUARE_LIMBS if needs & NEEDS_SQUARES != 0 else 0)


def clear_accumulators(state: int, plan: int, column: int) -> None:
    """Make a column's accumulators hold no row."""
    words = column_words(plan, column)
    if load(words, COLUMN_NEEDS) & NEEDS_ACCUMULATOR == 0:
        return
    ranges = range_words(state, plan, column)
    for window in range(load(plan, PLAN_WINDOWS)):
        clear(accumulator(state, ranges, window), load(ranges, RANGE_ACCUMULATOR_WORDS))


def clear_base(state: int, plan: int, column: int) -> None:
    """Make a column's base that of no row."""
    base = base_words(state, plan, column)
    store(base, BASE_MIN, LARGEST)
    store(base, BASE_MAX, SMALLEST)
    store(base, BASE_FIRST_TIME, LARGEST)
    store(base, BASE_FIRST, 0)
    store(base, BASE_LAST_TIME, SMALLEST)
    store(base, BASE_LAST, 0)


def expired_rows(state: int, plan: int) -> int:
    """How many of the oldest rows no read at or after the newest ingest time can want, nor any later event match.

    Moves the cursor up to the newest ingest time if it stands before it.
    """
    if load(state, STATE_FLAGS) & FLAG_PARTIAL != 0 and load(plan, PLAN_HAS_ALL) != 0:
        return 0
    now = load(state, STATE_NOW)
    if load(state, STATE_CURSOR) < now:
        move(state, plan, now)
    count = load(state, STATE_COUNT)
    return seek(rows_address(state), load(plan, PLAN_STRIDE), count, 0, now - load(plan, PLAN_HORIZON))


def let_go(state: int, plan: int, rows: int) -> None:
    """Note that the oldest `rows` rows are about to be dropped; the window of all history keeps what they add."""
    if rows == 0:
        return
    first = rows_address(state)
    newest = load(first, load(plan, PLAN_STRIDE) * (rows - 1))
    store(state, STATE_LOST, larger(load(state, STATE_LOST), newest))
    if load(plan, PLAN_HAS_ALL) != 0:
        store(state, STATE_BASE_COUNT, load(state, STATE_BASE_COUNT) + rows)
        for column in range(load(plan, PLAN_COLUMNS)):
            absorb(state, plan, column, rows)


def absorb(state: int, plan: int, column: int, rows: int) -> None:
    """Take extremes and ends of the oldest rows into a column's base; sums and counts hold them already."""
    stride = load(plan, PLAN_STRIDE)
    first = rows_address(state)
    offset = value_offset(plan, column)
    is_float = load(column_words(plan, column), COLUMN_KIND) == FLOAT
    missing = NULL_BITS if is_float else NULL_INT
    base = base_words(state, plan, column)
    for row in range(rows):
        value = load(first, stride * row + offset)
        if value != missing:
            absorb_ends(base, load(first, stride * row), value)
            if not (is_float and value == NAN_BITS):
                key = ordering_key(value) if is_float else value
                store(base, BASE_MIN, smaller(load(base, BASE_MIN), key))
                store(base, BASE_MAX, larger(load(base, BASE_MAX), key))


def absorb_ends(base: int, time: int, value: int) -> None:
    """Rows are absorbed in log order within one event time, so a later one wins `last` and never `first`."""
    if time < load(base, BASE_FIRST_TIME):
        store(base, BASE_FIRST_TIME, time)
        store(base, BASE_FIRST, value)
    if time >= load(base, BASE_LAST_TIME):
        store(base, BASE_LAST_TIME, time)
        store(base, BASE_LAST, value)


def slide(state: int, plan: int, rows: int) -> None:
    """Drop the oldest `rows` rows in place."""
    let_go(state, plan, rows)
    stride = load(plan, PLAN_STRIDE)
    first = rows_address(state)
    left = load(state, STATE_COUNT) - rows
    copy(first, first + 8 * stride * rows, stride * left)
    store(state, STATE_COUNT, left)
    store(state, STATE_BLOCKS_VALID, 0)
    shift_places(state, plan, rows)


def shift_places(state: int, plan: int, rows: int) -> None:
    """Head and tails after the oldest rows are gone."""
    store(state, STATE_HEAD, load(state, STATE_HEAD) - rows)
    for window in range(load(plan, PLAN_WINDOWS)):
        tail = load(state, STATE_TAILS + window)
        store(state, STATE_TAILS + window, tail - rows if tail > rows else 0)


def lay_out(
    target: int, source: int, plan: int, capacity: int, room: int, tombstone_room: int, dropped: int, ranges: int
) -> None:
    """Copy a state to another place with other room, without its oldest `dropped` rows (let go of before).

    room:   rows to leave room for; negative for as many as fit.
    ranges: address of exponent and limbs for every column (RANGE_WORDS each), as the target shall have them.
    """
    columns = load(plan, PLAN_COLUMNS)
    copy(target, source, first_accumulator(plan))
    store(target, STATE_CAPACITY, capacity)
    for column in range(columns):
        copy(range_words(target, plan, column), ranges + 8 * RANGE_WORDS * column, RANGE_CHOICE)
    front = place_accumulators(target, plan)
    for column in range(columns):
        for window in range(load(plan, PLAN_WINDOWS)):
            copy_accumulator(target, source, plan, column, window)
    if room < 0:
        room = room_within(plan, front, capacity, tombstone_room)
    place_regions(target, plan, front, room, tombstone_room)
    stride = load(plan, PLAN_STRIDE)
    left = load(source, STATE_COUNT) - dropped
    copy(target + 8 * front, rows_address(source) + 8 * stride * dropped, stride * left)
    store(target, STATE_COUNT, left)
    shift_places(target, plan, dropped)
    stones = load(source, STATE_TOMBSTONES) * TOMBSTONE_WORDS
    copy(tombstones_address(target), tombstones_address(source), stones)


def copy_accumulator(target: int, source: int, plan: int, column: int, window: int) -> None:
    """Copy one accumulator into limbs of another range."""
    words = column_words(plan, column)
    if load(words, COLUMN_NEEDS) & NEEDS_ACCUMULATOR == 0:
        return
    new = range_words(target, plan, column)
    old = range_words(source, plan, column)
    new_place = accumulator(target, new, window)
    old_place = accumulator(source, old, window)
    copy(new_place, old_place, ACC_SUM)
    raised = 0
    if load(old, RANGE_EXPONENT) != UNSET:
        raised = (load(old, RANGE_EXPONENT) - load(new, RANGE_EXPONENT)) >> 6
    new_place += 8 * ACC_SUM
    old_place += 8 * ACC_SUM
    new_limbs = load(new, RANGE_SUM_LIMBS)
    old_limbs = load(old, RANGE_SUM_LIMBS)
    copy_limbs(new_place, new_limbs, old_place, old_limbs, raised)
    new_place += 8 * new_limbs
    old_place += 8 * old_limbs
    new_limbs = load(new, RANGE_SQUARE_LIMBS)
    old_limbs = load(old, RANGE_SQUARE_LIMBS)
    copy_limbs(new_place, new_limbs, old_place, old_limbs, 2 * raised)
    if load(words, COLUMN_KIND) == FLOAT:
        copy(new_place + 8 * new_limbs, old_place + 8 * old_limbs, ACC_SPECIALS)


def copy_limbs(target: int, limbs: int, source: int, source_limbs: int, raised: int) -> None:
    """Copy a number `raised` limbs higher, with zeros below it and its sign above it."""
    for index in range(limbs):
        place = index - raised
        word = 0
        if 0 <= place < source_limbs:
            word = load(source, place)
        elif place >= source_limbs > 0:
            word = load(source, source_limbs - 1) >> 63
        store(target, index, word)


def front_words(state: int) -> int:
    """The words before the first row."""
    return load(state, STATE_ROWS_AT) >> 3
