"""Judging bytes from outside before they are used as a state: whatever they hold, no read or write may leave them."""

from __future__ import annotations

from unisono.kernel.descriptor import PLAN, STATE, STATE_BYTES
from unisono.kernel.layout import (
    BLOCK_ROWS,
    BLOCKS_FROM_ROOM,
    COLUMN_NEEDS,
    NEEDS_SQUARES,
    NEEDS_SUM,
    PLAN_COLUMNS,
    PLAN_ID,
    PLAN_STRIDE,
    PLAN_WINDOWS,
    RANGE_ACCUMULATOR_WORDS,
    RANGE_ACCUMULATORS_AT,
    RANGE_SQUARE_LIMBS,
    RANGE_SUM_LIMBS,
    STATE_BLOCKS_AT,
    STATE_BLOCKS_VALID,
    STATE_CAPACITY,
    STATE_COUNT,
    STATE_HEAD,
    STATE_PLAN,
    STATE_ROOM,
    STATE_ROWS_AT,
    STATE_TAILS,
    STATE_TOMBSTONE_ROOM,
    STATE_TOMBSTONES,
    STATE_TOMBSTONES_AT,
    STATE_VERSION,
    VERSION,
    accumulator_words,
    block_words,
    column_words,
    first_accumulator,
    range_words,
    words_needed,
)
from unisono.kernel.words import load

MOST_LIMBS = 80  # the whole range of float64 squares takes 67
MOST_ROWS = 1 << 40


def is_state(descriptor: int) -> bool:
    """Are the bytes at STATE a packed state of this plan, with every count and place within it?"""
    size = load(descriptor, STATE_BYTES)
    state = load(descriptor, STATE)
    plan = load(descriptor, PLAN)
    if size < 8 * first_accumulator(plan):
        return False
    if load(state, STATE_VERSION) != VERSION or load(state, STATE_PLAN) != load(plan, PLAN_ID):
        return False
    if 8 * load(state, STATE_CAPACITY) != size:
        return False
    front = sound_front(state, plan)
    return front > 0 and sound_counts(state, plan) and sound_regions(state, plan, front)


def sound_front(state: int, plan: int) -> int:
    """The words before the rows; 0 if limbs or places of accumulators are not those of a state."""
    place = first_accumulator(plan)
    for column in range(load(plan, PLAN_COLUMNS)):
        words = column_words(plan, column)
        ranges = range_words(state, plan, column)
        sums = load(ranges, RANGE_SUM_LIMBS)
        squares = load(ranges, RANGE_SQUARE_LIMBS)
        if not sound_limbs(sums, load(words, COLUMN_NEEDS) & NEEDS_SUM != 0, 2):
            return 0
        if not sound_limbs(squares, load(words, COLUMN_NEEDS) & NEEDS_SQUARES != 0, 3):
            return 0
        size = accumulator_words(words, sums, squares)
        if load(ranges, RANGE_ACCUMULATORS_AT) != place or load(ranges, RANGE_ACCUMULATOR_WORDS) != size:
            return 0
        place += size * load(plan, PLAN_WINDOWS)
    return place


def sound_limbs(limbs: int, needed: bool, least: int) -> bool:
    """As many limbs as there can be?"""
    if not needed:
        return limbs == 0
    return least <= limbs <= MOST_LIMBS


def sound_counts(state: int, plan: int) -> bool:
    """Do rows, head, tails and tombstones count what can be there?"""
    count = load(state, STATE_COUNT)
    head = load(state, STATE_HEAD)
    stones = load(state, STATE_TOMBSTONES)
    if not (0 <= head <= count <= MOST_ROWS and 0 <= stones <= MOST_ROWS):
        return False
    for window in range(load(plan, PLAN_WINDOWS)):
        tail = load(state, STATE_TAILS + window)
        if not 0 <= tail <= head:
            return False
    return count == load(state, STATE_ROOM) and stones == load(state, STATE_TOMBSTONE_ROOM)


def sound_regions(state: int, plan: int, front: int) -> bool:
    """Do the regions lie one behind the other, and fill the state?"""
    count = load(state, STATE_COUNT)
    blocks_at = front + count * load(plan, PLAN_STRIDE)
    blocks = block_words(plan, count)
    valid = load(state, STATE_BLOCKS_VALID)
    return (
        load(state, STATE_ROWS_AT) == 8 * front
        and load(state, STATE_BLOCKS_AT) == 8 * blocks_at
        and load(state, STATE_TOMBSTONES_AT) == 8 * (blocks_at + blocks)
        and 0 <= valid * BLOCK_ROWS <= count
        and (valid == 0 or count >= BLOCKS_FROM_ROOM)
        and load(state, STATE_CAPACITY) == words_needed(plan, front, count, load(state, STATE_TOMBSTONES))
    )
