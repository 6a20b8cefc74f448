"""Moving the instant that the accumulators of a state stand at, forwards or backwards."""

from __future__ import annotations

from unisono.kernel.accumulators import change_rows, clear
from unisono.kernel.layout import (
    ALL,
    COLUMN_NEEDS,
    NEEDS_ACCUMULATOR,
    PLAN_COLUMNS,
    PLAN_STRIDE,
    PLAN_WINDOWS,
    RANGE_ACCUMULATOR_WORDS,
    STATE_COUNT,
    STATE_CURSOR,
    STATE_HEAD,
    STATE_TAILS,
    accumulator,
    column_words,
    range_words,
    rows_address,
    value_offset,
    window_width,
)
from unisono.kernel.rows import seek
from unisono.kernel.words import load, store


def move(state: int, plan: int, time: int) -> None:
    """Make every window hold what lies in (time - width, time]."""
    if load(state, STATE_CURSOR) == time:
        return
    windows = load(plan, PLAN_WINDOWS)
    head = seek_places(state, plan, windows, time)
    for column in range(load(plan, PLAN_COLUMNS)):
        if load(column_words(plan, column), COLUMN_NEEDS) & NEEDS_ACCUMULATOR != 0:
            shift_column(state, plan, column, windows, head)
    for window in range(windows):
        store(state, STATE_TAILS + window, load(state, STATE_TAILS + windows + window))
    store(state, STATE_HEAD, head)
    store(state, STATE_CURSOR, time)


def seek_places(state: int, plan: int, windows: int, time: int) -> int:
    """Find the tails for `time`, kept beside the present ones, and return the head for it."""
    rows = rows_address(state)
    stride = load(plan, PLAN_STRIDE)
    count = load(state, STATE_COUNT)
    for window in range(windows):
        width = window_width(plan, window)
        tail = 0
        if width != ALL:
            tail = seek(rows, stride, count, load(state, STATE_TAILS + window), time - width)
        store(state, STATE_TAILS + windows + window, tail)
    return seek(rows, stride, count, load(state, STATE_HEAD), time)


def shift_column(state: int, plan: int, column: int, windows: int, head: int) -> None:
    """Turn a column's accumulators from the rows they hold to those from the new tails to before `head`."""
    words = column_words(plan, column)
    ranges = range_words(state, plan, column)
    stride = load(plan, PLAN_STRIDE)
    values = rows_address(state) + 8 * value_offset(plan, column)
    size = load(ranges, RANGE_ACCUMULATOR_WORDS)
    old_head = load(state, STATE_HEAD)
    target = accumulator(state, ranges, 0)
    for window in range(windows):
        old_tail = load(state, STATE_TAILS + window)
        tail = load(state, STATE_TAILS + windows + window)
        # The window of all history also holds its base, which no rows could rebuild.
        if abs(tail - old_tail) + abs(head - old_head) > head - tail and window_width(plan, window) != ALL:
            clear(target, size)
            change_rows(target, words, ranges, values, stride, tail, head, 1)
        else:
            change_rows(target, words, ranges, values, stride, old_head, head, 1)
            change_rows(target, words, ranges, values, stride, tail, old_tail, 1)
            change_rows(target, words, ranges, values, stride, old_tail, tail, -1)
            change_rows(target, words, ranges, values, stride, head, old_head, -1)
        target += 8 * size
