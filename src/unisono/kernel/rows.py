"""The rows of one key: events sorted by (event time, log order), and the tombstones of retracted ones."""

from __future__ import annotations

from unisono.kernel.layout import (
    BLOCK_ROWS,
    PLAN_STRIDE,
    STATE_BLOCKS_VALID,
    STATE_COUNT,
    STATE_TOMBSTONES,
    STATE_TOMBSTONES_AT,
    TOMBSTONE_WORDS,
    rows_address,
)
from unisono.kernel.words import copy, load, store

NOT_FOUND = -1


def seek(rows: int, stride: int, count: int, hint: int, time: int) -> int:
    """The first of `count` time-sorted rows whose time is after `time`; quick where it is near `hint`."""
    if hint < count and load(rows, stride * hint) <= time:
        return _seek_up(rows, stride, count, hint, time)
    if hint > 0 and load(rows, stride * (hint - 1)) > time:
        return _seek_down(rows, stride, hint - 1, time)
    return hint


def _seek_up(rows: int, stride: int, count: int, low: int, time: int) -> int:
    """Gallop up from a row that is not after `time`."""
    step = 1
    while low + step < count and load(rows, stride * (low + step)) <= time:
        low += step
        step += step
    high = low + step if low + step < count else count
    return _bisect(rows, stride, low + 1, high, time)


def _seek_down(rows: int, stride: int, high: int, time: int) -> int:
    """Gallop down from a row that is after `time`."""
    step = 1
    while high - step >= 0 and load(rows, stride * (high - step)) > time:
        high -= step
        step += step
    low = high - step + 1 if high - step >= 0 else 0
    return _bisect(rows, stride, low, high, time)


def _bisect(rows: int, stride: int, low: int, high: int, time: int) -> int:
    while low < high:
        middle = (low + high) >> 1
        if load(rows, stride * middle) <= time:
            low = middle + 1
        else:
            high = middle
    return low


def find_row(state: int, stride: int, time: int, identity: int) -> int:
    """The row of this event time and id, or NOT_FOUND."""
    rows = rows_address(state)
    count = load(state, STATE_COUNT)
    row = seek(rows, stride, count, count, time) - 1
    while row >= 0 and load(rows, stride * row) == time:
        if load(rows, stride * row + 1) == identity:
            return row
        row -= 1
    return NOT_FOUND


def open_row(state: int, plan: int, row: int) -> None:
    """Shift the rows from `row` on up by one."""
    stride = load(plan, PLAN_STRIDE)
    count = load(state, STATE_COUNT)
    place = rows_address(state) + 8 * stride * row
    copy(place + 8 * stride, place, stride * (count - row))
    store(state, STATE_COUNT, count + 1)
    forget_blocks(state, row)


def close_row(state: int, plan: int, row: int) -> None:
    """Shift the rows after `row` down by one, over it."""
    stride = load(plan, PLAN_STRIDE)
    count = load(state, STATE_COUNT) - 1
    place = rows_address(state) + 8 * stride * row
    copy(place, place + 8 * stride, stride * (count - row))
    store(state, STATE_COUNT, count)
    forget_blocks(state, row)


def forget_blocks(state: int, row: int) -> None:
    """Row `row` and those after it have changed: so have their blocks."""
    block = row // BLOCK_ROWS
    if block < load(state, STATE_BLOCKS_VALID):
        store(state, STATE_BLOCKS_VALID, block)


def tombstones_address(state: int) -> int:
    """The address of the first tombstone: (event time, id), sorted by time."""
    return state + load(state, STATE_TOMBSTONES_AT)


def tombstones_until(state: int, time: int) -> int:
    """How many tombstones have an event time up to `time`."""
    return _bisect(tombstones_address(state), TOMBSTONE_WORDS, 0, load(state, STATE_TOMBSTONES), time)


def is_retracted(state: int, time: int, identity: int) -> bool:
    """Is there a tombstone for this event time and id?"""
    stones = tombstones_address(state)
    stone = tombstones_until(state, time) - 1
    while stone >= 0 and load(stones, TOMBSTONE_WORDS * stone) == time:
        if load(stones, TOMBSTONE_WORDS * stone + 1) == identity:
            return True
        stone -= 1
    return False


def put_tombstone(state: int, time: int, identity: int) -> None:
    """Add a tombstone; there is room."""
    count = load(state, STATE_TOMBSTONES)
    stone = tombstones_until(state, time)
    place = tombstones_address(state) + 8 * TOMBSTONE_WORDS * stone
    copy(place + 8 * TOMBSTONE_WORDS, place, TOMBSTONE_WORDS * (count - stone))
    store(place, 0, time)
    store(place, 1, identity)
    store(state, STATE_TOMBSTONES, count + 1)


def drop_tombstones(state: int, count: int) -> None:
    """Let go of the `count` oldest tombstones."""
    stones = tombstones_address(state)
    left = load(state, STATE_TOMBSTONES) - count
    copy(stones, stones + 8 * TOMBSTONE_WORDS * count, TOMBSTONE_WORDS * left)
    store(state, STATE_TOMBSTONES, left)
