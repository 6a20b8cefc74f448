"""Moving the instant that the accumulators of a state stand at, forwards or backwards."""

from __future__ import annotations

from unisono.kernel.accumulators import change_rows, clear_window
from unisono.kernel.layout import (
    ALL,
    PLAN_COLUMNS,
    PLAN_STRIDE,
    PLAN_WINDOWS,
    STATE_COUNT,
    STATE_CURSOR,
    STATE_HEAD,
    STATE_TAILS,
    rows_address,
    window_width,
)
from unisono.kernel.rows import seek
from unisono.kernel.words import load, store


def move(state: int, plan: int, time: int) -> None:
    """Make every window hold what lies in (time - width, time]."""
    if load(state, STATE_CURSOR) == time:
        return
    rows = rows_address(state)
    stride = load(plan, PLAN_STRIDE)
    count = load(state, STATE_COUNT)
    head = seek(rows, stride, count, load(state, STATE_HEAD), time)
    for window in range(load(plan, PLAN_WINDOWS)):
        tail = load(state, STATE_TAILS + window)
        width = window_width(plan, window)
        new_tail = 0 if width == ALL else seek(rows, stride, count, tail, time - width)
        shift_window(state, plan, window, new_tail, head)
        store(state, STATE_TAILS + window, new_tail)
    store(state, STATE_HEAD, head)
    store(state, STATE_CURSOR, time)


def shift_window(state: int, plan: int, window: int, tail: int, head: int) -> None:
    """Turn a window's accumulators from the rows they hold to those from `tail` to before `head`."""
    old_tail = load(state, STATE_TAILS + window)
    old_head = load(state, STATE_HEAD)
    if old_tail == tail and old_head == head:
        return
    changes = abs(tail - old_tail) + abs(head - old_head)
    # The window of all history also holds its base, which no rows could rebuild.
    rebuild = changes > head - tail and window_width(plan, window) != ALL
    for column in range(load(plan, PLAN_COLUMNS)):
        if rebuild:
            clear_window(state, plan, column, window)
            change_rows(state, plan, column, window, tail, head, 1)
        else:
            change_rows(state, plan, column, window, old_head, head, 1)
            change_rows(state, plan, column, window, tail, old_tail, 1)
            change_rows(state, plan, column, window, old_tail, tail, -1)
            change_rows(state, plan, column, window, head, old_head, -1)
