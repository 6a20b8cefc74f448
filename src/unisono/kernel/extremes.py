"""Smallest and largest of a window after the old extreme has left it: looked for newest first, by blocks of 64 rows."""

from __future__ import annotations

from unisono.kernel.layout import (
    ACC_DIRTY,
    ACC_MAX,
    ACC_MIN,
    ALL,
    BASE_MAX,
    BASE_MIN,
    BLOCK_ROWS,
    BLOCKS_FROM_ROOM,
    COLUMN_EXTREME,
    COLUMN_KIND,
    COLUMN_NEEDS,
    DIRTY_MAX,
    DIRTY_MIN,
    FLAG_READ_ONLY,
    FLOAT,
    LARGEST,
    NAN_BITS,
    NEEDS_EXTREMES,
    NULL_BITS,
    NULL_INT,
    PLAN_COLUMNS,
    PLAN_EXTREMES,
    PLAN_STRIDE,
    SMALLEST,
    STATE_BLOCKS_AT,
    STATE_BLOCKS_VALID,
    STATE_COUNT,
    STATE_FLAGS,
    STATE_HEAD,
    STATE_ROOM,
    STATE_TAILS,
    accumulator,
    base_words,
    column_words,
    range_words,
    rows_address,
    value_offset,
    window_width,
)
from unisono.kernel.values import larger, ordering_key, smaller
from unisono.kernel.words import load, store


def settle_extremes(state: int, plan: int, column: int, window: int) -> None:
    """Look for what the window's accumulator has lost, if anything."""
    target = accumulator(state, range_words(state, plan, column), window)
    dirty = load(target, ACC_DIRTY)
    if dirty != 0:
        complete_blocks(state, plan)
        look(state, plan, column, window, target, dirty)


def look(state: int, plan: int, column: int, window: int, target: int, dirty: int) -> None:
    """Scan the window until both extremes are found or the bounds are met."""
    low = LARGEST
    high = SMALLEST
    if window_width(plan, window) == ALL:
        base = base_words(state, plan, column)
        low = load(base, BASE_MIN)
        high = load(base, BASE_MAX)
    low_bound = load(target, ACC_MIN)
    high_bound = load(target, ACC_MAX)
    tail = load(state, STATE_TAILS + window)
    row = load(state, STATE_HEAD)
    valid = load(state, STATE_BLOCKS_VALID) * BLOCK_ROWS
    while row > tail:
        if (dirty & DIRTY_MIN == 0 or low == low_bound) and (dirty & DIRTY_MAX == 0 or high == high_bound):
            break
        if row % BLOCK_ROWS == 0 and row <= valid and row - BLOCK_ROWS >= tail:
            row -= BLOCK_ROWS
            block = block_address(state, plan, column, row // BLOCK_ROWS)
            low = smaller(low, load(block, 0))
            high = larger(high, load(block, 1))
        else:
            start = run_start(row, tail)
            low, high = scan(state, plan, column, start, row, low, high)
            row = start
    if dirty & DIRTY_MIN != 0:
        store(target, ACC_MIN, low)
    if dirty & DIRTY_MAX != 0:
        store(target, ACC_MAX, high)
    store(target, ACC_DIRTY, 0)


def run_start(row: int, tail: int) -> int:
    """Where a scan that ends before `row` begins: eight rows down, but not past a block's edge or the tail."""
    start = row - 8
    edge = (row - 1) // BLOCK_ROWS * BLOCK_ROWS
    return larger(larger(start, edge), tail)


def scan(state: int, plan: int, column: int, start: int, stop: int, low: int, high: int) -> tuple[int, int]:
    """The smallest and largest key of `low`, `high` and the rows from `start` to before `stop`."""
    stride = load(plan, PLAN_STRIDE)
    values = rows_address(state) + 8 * value_offset(plan, column)
    is_float = load(column_words(plan, column), COLUMN_KIND) == FLOAT
    for row in range(start, stop):
        key = load(values, stride * row)
        counts = key != NULL_INT
        if is_float:
            counts = key != NULL_BITS and key != NAN_BITS
            key = ordering_key(key)
        if counts:
            low = smaller(low, key)
            high = larger(high, key)
    return low, high


def block_address(state: int, plan: int, column: int, block: int) -> int:
    """The address of the extremes of one block of one column."""
    place = block * load(plan, PLAN_EXTREMES) + load(column_words(plan, column), COLUMN_EXTREME)
    return state + load(state, STATE_BLOCKS_AT) + 16 * place


def complete_blocks(state: int, plan: int) -> None:
    """Bring the blocks of all full runs of 64 rows up to date; a read-only state is left as it is."""
    if load(state, STATE_ROOM) < BLOCKS_FROM_ROOM or load(state, STATE_FLAGS) & FLAG_READ_ONLY != 0:
        return
    full = load(state, STATE_COUNT) // BLOCK_ROWS
    for block in range(load(state, STATE_BLOCKS_VALID), full):
        for column in range(load(plan, PLAN_COLUMNS)):
            if load(column_words(plan, column), COLUMN_NEEDS) & NEEDS_EXTREMES != 0:
                start = block * BLOCK_ROWS
                low, high = scan(state, plan, column, start, start + BLOCK_ROWS, LARGEST, SMALLEST)
                place = block_address(state, plan, column, block)
                store(place, 0, low)
                store(place, 1, high)
    if full > load(state, STATE_BLOCKS_VALID):
        store(state, STATE_BLOCKS_VALID, full)
