"""A state always has room for the rows it holds, at every size: where blocks of extremes begin, and where they end."""

from __future__ import annotations

import numpy as np
import pytest

from unisono.kernel import Column, Events, Output, Plan, Requests, States
from unisono.kernel.call import address_of
from unisono.kernel.encoding import plan_words
from unisono.kernel.layout import room_within, words_needed

PLAN = Plan((Column("fixed"),), (1 << 40,), (Output("count", -1, 0), Output("max", 0, 0)), has_ids=True)


@pytest.mark.parametrize("stones", [0, 1, 7])
def test_what_is_needed_for_some_rows_has_room_for_them(stones: int) -> None:
    words = plan_words(PLAN)
    plan = address_of(words)
    for rows in range(1200):
        capacity = words_needed(plan, 50, rows, stones)
        assert room_within(plan, 50, capacity, stones) >= rows
        room = room_within(plan, 50, capacity + 17, stones)
        assert words_needed(plan, 50, room, stones) <= capacity + 17


@pytest.mark.parametrize("rows", [*range(250, 340, 9), 1000, 1001])
def test_a_state_that_is_saved_and_retracted_from_holds_every_row(rows: int) -> None:
    time = np.arange(rows, dtype=np.int64)
    key = np.zeros(rows, np.int32)
    first = States(PLAN, 1)
    first.replay(Events(key, time, time, [time], time), emit="none")
    second = States(PLAN, 1)
    second.load(0, first.export(0))
    late = np.full(rows, rows, np.int64)
    half = np.ones(rows // 2, np.uint8)
    gone = Events(
        key[: rows // 2], time[::2][: rows // 2], late[: rows // 2], [time[: rows // 2]], time[::2][: rows // 2]
    )
    gone.retraction = half
    second.replay(gone, emit="none")
    none = Events(key[:0], time[:0], time[:0], [time[:0]], time[:0])
    asked = Requests(np.zeros(1, np.int32), np.array([rows], np.int64))
    answer = second.replay(none, asked, np.array([-1], np.int32))[0]
    left = np.setdiff1d(time, time[::2][: rows // 2])
    assert answer.tolist() == [len(left), left.max()]
