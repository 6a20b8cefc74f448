"""Calls that wait and run: in batches, in turn, in time; and whatever fails, every caller is answered once."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import threading
from collections.abc import Sequence
from time import perf_counter

import numpy as np
import pytest

import unisono as un
from tests.serving.calls.fakes import SLOW, Fake, Seen, ask, call_of, in_loop, lane_of, until, values
from unisono.drivers.online.predictor import OnlinePredictor
from unisono.drivers.online.reading import Known, Lookup, StateReader
from unisono.drivers.scores import Matrix, Outputs, Row
from unisono.drivers.serving.calls import Answered, Call, Outcome
from unisono.drivers.serving.lane import COPIED_ROWS, Lane
from unisono.drivers.serving.lanes import Bounds, Lanes
from unisono.drivers.serving.pace import MOST_ROWS
from unisono.drivers.serving.refusals import RefusalError


def code(outcome: Outcome) -> str:
    assert isinstance(outcome, RefusalError), outcome
    return outcome.code


# Batches --------------------------------------------------------------------------------------------------------------


@in_loop
async def test_what_is_ready_runs_together_up_to_the_cap() -> None:
    fake, lanes = Fake(), Lanes()
    lane = lane_of(fake, cap=4)
    answers = await asyncio.gather(*(ask(lanes, lane, row) for row in range(6)))
    assert [values(one) for one in answers] == [[10.0 * row] for row in range(6)]
    assert fake.asked == [[0, 1, 2, 3], [4, 5]]


@in_loop
async def test_a_call_that_finds_nobody_runs_in_the_next_turn_of_the_loop() -> None:
    fake, lanes = Fake(), Lanes()
    answer = ask(lanes, lane_of(fake), 1.0)
    assert fake.asked == []
    await asyncio.sleep(0)  # one turn, no timer
    assert fake.asked == [[1.0]]
    assert isinstance(await answer, Answered)


@in_loop
async def test_an_answer_says_who_answered_and_what_was_known() -> None:
    seen = Seen()
    lanes = Lanes(watchers=[seen])
    lane = lane_of(Fake("three"))
    one, two = await asyncio.gather(ask(lanes, lane, 1.0), ask(lanes, lane, 2.0, 3.0))
    assert isinstance(one, Answered) and isinstance(two, Answered)
    assert (two.version, two.position, list(two.times), values(two)) == ("three", 7, [5, 5], [20.0, 30.0])
    (batch,) = seen.batches
    assert (batch.size, batch.has_run, batch.shadow, len(batch.calls), batch.answers.id) == (3, True, False, 2, "three")
    for call in batch.calls:
        assert all(spent_s > 0 for spent_s in call.spent_s[1:4])


@in_loop
async def test_a_call_with_more_rows_than_the_cap_runs_alone() -> None:
    fake, lanes = Fake(), Lanes()
    lane = lane_of(fake, cap=2)
    await asyncio.gather(ask(lanes, lane, 1.0), ask(lanes, lane, 2.0, 3.0, 4.0), ask(lanes, lane, 5.0))
    assert fake.asked == [[1.0], [2.0, 3.0, 4.0], [5.0]]


@in_loop
async def test_one_call_among_thousands_of_another_model_waits_for_one_batch_of_them() -> None:
    order: list[str] = []
    lanes = Lanes(Bounds(wait_s=60.0))
    many, few = lane_of(Fake("many"), cap=8), lane_of(Fake("few"))
    calls = [call_of(float(row), done=lambda _: order.append("many")) for row in range(3000)]
    for call in calls:
        lanes.submit(many, call)
    await asyncio.sleep(0)
    lanes.submit(few, call_of(1.0, done=lambda _: order.append("few")))
    await until(lambda: len(order) == 3001)
    assert order.index("few") <= 2 * 8


@in_loop
async def test_nan_is_an_answer() -> None:
    lanes = Lanes()
    (value,) = values(await ask(lanes, lane_of(Fake()), math.nan))
    assert math.isnan(value)


# Deadlines, admission, cancelling -------------------------------------------------------------------------------------


@in_loop
async def test_a_call_whose_deadline_has_passed_is_never_run() -> None:
    fake, lanes = Fake(), Lanes()
    lane = lane_of(fake)
    late, fine = ask(lanes, lane, 1.0, timeout_s=-0.001), ask(lanes, lane, 2.0)
    assert code(await late) == "deadline_exceeded"
    assert values(await fine) == [20.0]
    assert fake.asked == [[2.0]]


@in_loop
async def test_a_call_that_nobody_waits_for_is_never_run() -> None:
    fake, lanes = Fake(), Lanes()
    lane = lane_of(fake)
    told: list[Outcome] = []
    call = call_of(1.0, done=told.append)
    lanes.submit(lane, call)
    call.cancel()
    await ask(lanes, lane, 2.0)
    assert (fake.asked, told) == ([[2.0]], [])


@in_loop
async def test_who_would_wait_too_long_is_refused_at_once() -> None:
    lanes = Lanes(Bounds(wait_s=0.5))
    lane = lane_of(Fake(), row_s=0.1)
    lane.run = None
    kept = [ask(lanes, lane, float(row)) for row in range(6)]
    with pytest.raises(RefusalError, match=r"6 rows wait, for about 0\.600 s; allowed: 0\.500 s") as refused:
        ask(lanes, lane, 7.0)
    assert (refused.value.code, refused.value.status, refused.value.retry_after_s) == ("overloaded", 503, 1.0)
    with pytest.raises(RefusalError, match=r"allowed: 0\.2"):
        ask(lanes, lane_with(lane, 3), 7.0, timeout_s=0.2)
    await asyncio.gather(*kept[:3])


def lane_with(lane: Lane, waiting: int) -> Lane:
    """A lane, once fewer wait in it."""
    while len(lane.waiting) > waiting:
        call = lane.waiting.pop()
        lane.rows -= len(call.rows)
    return lane


@in_loop
async def test_the_wait_is_what_the_loop_takes_for_a_row_with_all_that_it_does_besides_the_model() -> None:
    def slow_caller(outcome: Outcome) -> None:
        until_s = perf_counter() + 0.001
        while perf_counter() < until_s:
            pass

    lanes = Lanes(Bounds(wait_s=60.0))
    lane = lane_of(Fake())
    for _ in range(100):  # what is learned comes near by a tenth each time
        lanes.submit(lane, call_of(1.0, done=slow_caller))
        lanes.submit(lane, call_of(2.0, done=slow_caller))
        await until(lambda: lane.is_idle)
    waiting = [ask(lanes, lane, float(row)) for row in range(100)]
    assert lanes.expected_wait_s(lane) >= 100 * 0.001  # the model takes a hundredth of it
    with pytest.raises(RefusalError, match="100 rows wait") as refused:
        ask(lanes, lane, 1.0, timeout_s=0.05)
    assert refused.value.code == "overloaded"
    await asyncio.gather(*waiting)


@in_loop
async def test_others_who_have_little_to_do_are_no_reason_to_refuse() -> None:
    lanes = Lanes(Bounds(wait_s=0.5))
    lane = lane_of(Fake(), row_s=0.0009)
    others = [lane_of(Fake(), row_s=0.0009) for _ in range(20)]
    waiting = [ask(lanes, lane, float(row)) for row in range(400)]  # for 0.36 s
    waiting += [ask(lanes, other, 1.0) for other in others]
    assert lanes.expected_wait_s(lane) == pytest.approx(400 * 0.0009 + 20 * 0.0009)
    waiting.append(ask(lanes, lane, 1.0))
    waiting += [ask(lanes, other, float(row)) for other in others for row in range(24)]
    with pytest.raises(RefusalError, match="401 rows wait"):
        ask(lanes, lane, 1.0)
    await asyncio.gather(*waiting)


@in_loop
async def test_more_rows_than_may_wait_are_refused_and_more_than_may_ever_otherwise() -> None:
    lanes = Lanes(Bounds(rows=10))
    lane = lane_of(Fake())
    first = ask(lanes, lane, *map(float, range(8)))
    with pytest.raises(RefusalError, match="8 rows wait") as refused:
        ask(lanes, lane, 1.0, 2.0, 3.0)
    assert refused.value.code == "overloaded"
    with pytest.raises(RefusalError, match="11 rows in one request; allowed: 1 to 10; send them in several") as refused:
        ask(lanes, lane, *map(float, range(11)))
    assert (refused.value.code, refused.value.retry_after_s) == ("body_too_large", None)
    with pytest.raises(RefusalError, match="0 rows in one request") as refused:
        ask(lanes, lane)
    assert refused.value.code == "invalid_request"
    assert len(values(await first)) == 8


@in_loop
async def test_nobody_is_refused_for_a_wait_that_is_not_known() -> None:
    lanes = Lanes(Bounds(wait_s=1e-9))
    lane = Lane("risk", Fake())
    answers = await asyncio.gather(*(ask(lanes, lane, float(row)) for row in range(50)))
    assert [values(one) for one in answers] == [[10.0 * row] for row in range(50)]


# What fails -----------------------------------------------------------------------------------------------------------


@in_loop
async def test_a_row_that_fails_costs_the_others_nothing(caplog: pytest.LogCaptureFixture) -> None:
    seen = Seen()
    lanes = Lanes(watchers=[seen])
    lane = lane_of(Fake(failing=frozenset({2.0})))
    one, bad, three = await asyncio.gather(*(ask(lanes, lane, row) for row in (1.0, 2.0, 3.0)))
    assert (values(one), values(three)) == ([10.0], [30.0])
    assert isinstance(bad, ValueError)
    assert "1 of 3 requests failed" in caplog.text
    assert not seen.batches[0].has_run


@in_loop
async def test_a_caller_or_a_watcher_that_fails_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Bad:
        def answered(self, predictor: str, batch: object) -> None:
            raise RuntimeError("the watcher")

    def bad(outcome: Outcome) -> None:
        raise RuntimeError("the caller")

    seen = Seen()
    lanes = Lanes(watchers=[Bad(), seen])
    lane = lane_of(Fake(), cap=2)
    lanes.submit(lane, call_of(1.0, done=bad))
    answers = await asyncio.gather(*(ask(lanes, lane, float(row)) for row in range(5)))
    assert [values(one) for one in answers] == [[10.0 * row] for row in range(5)]
    assert len(seen.batches) == 3
    assert "the caller" in caplog.text and "the watcher" in caplog.text


@in_loop
async def test_a_caller_may_ask_again_while_it_is_answered() -> None:
    fake, lanes = Fake(), Lanes()
    lane = lane_of(fake, cap=1)
    answers: list[Outcome] = []

    def again(outcome: Outcome) -> None:
        answers.append(outcome)
        if len(answers) < 20:
            lanes.submit(lane, call_of(1.0, done=again))
            lanes.submit(lane, call_of(2.0, done=answers.append))

    lanes.submit(lane, call_of(0.0, done=again))
    await until(lambda: len(answers) == 21)
    assert fake.asked[:5] == [[0.0], [1.0], [2.0], [1.0], [2.0]]
    assert len(fake.asked) == 21


@in_loop
async def test_a_version_that_gives_nonsense_costs_its_own_callers_only() -> None:
    class Nonsense(Fake):
        def score(self, rows: object, features: object) -> dict[str, np.ndarray]:
            return {"prediction": None}  # type: ignore[dict-item]

    lanes = Lanes()
    bad, good = lane_of(Nonsense()), lane_of(Fake())
    outcomes = await asyncio.gather(ask(lanes, bad, 1.0), ask(lanes, bad, 2.0), ask(lanes, good, 3.0))
    assert isinstance(outcomes[0], TypeError) and isinstance(outcomes[1], TypeError)
    assert values(outcomes[2]) == [30.0]


# Threads --------------------------------------------------------------------------------------------------------------


@in_loop
async def test_a_slow_model_has_a_thread_and_the_others_go_on() -> None:
    gate = threading.Event()
    slow, quick, lanes = Fake(gate=gate), Fake(), Lanes()
    slow_lane, quick_lane = lane_of(slow, row_s=SLOW), lane_of(quick)
    waiting = ask(lanes, slow_lane, 1.0)
    await until(lambda: slow.asked == [[1.0]])
    behind = ask(lanes, slow_lane, 2.0)
    for row in range(20):
        assert values(await ask(lanes, quick_lane, float(row))) == [10.0 * row]
    assert not waiting.done() and slow.asked == [[1.0]]
    gate.set()
    assert (values(await waiting), values(await behind)) == ([10.0], [20.0])
    assert threading.get_ident() not in slow.threads
    assert quick.threads == {threading.get_ident()}


@in_loop
async def test_whose_deadline_passes_while_a_model_runs_is_told_then() -> None:
    gate = threading.Event()
    fake, lanes = Fake(gate=gate), Lanes()
    lane = lane_of(fake, row_s=SLOW)
    running = ask(lanes, lane, 1.0, timeout_s=0.1)
    await until(lambda: bool(fake.asked))
    behind = ask(lanes, lane, 2.0, timeout_s=0.1)
    assert (code(await running), code(await behind)) == ("deadline_exceeded", "deadline_exceeded")
    gate.set()
    assert values(await ask(lanes, lane, 3.0)) == [30.0]
    assert fake.asked == [[1.0], [3.0]]


@in_loop
async def test_a_model_that_hangs_is_given_up_and_comes_back_when_it_returns(caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()
    fake, lanes = Fake(gate=gate), Lanes(Bounds(model_s=0.1))
    lane, other = lane_of(fake, row_s=SLOW), lane_of(Fake())
    running = ask(lanes, lane, 1.0)
    await until(lambda: bool(fake.asked))
    behind = ask(lanes, lane, 2.0)
    assert (code(await running), code(await behind)) == ("deadline_exceeded", "deadline_exceeded")
    assert (lane.is_stuck, fake.stopped) == (True, 1)
    assert "has not answered for 0.1 s" in caplog.text
    with pytest.raises(RefusalError, match="its model hangs") as refused:
        ask(lanes, lane, 3.0)
    assert (refused.value.code, refused.value.retry_after_s) == ("not_available", 5.0)
    assert values(await ask(lanes, other, 4.0)) == [40.0]
    gate.set()
    await until(lambda: not lane.is_stuck)
    assert values(await ask(lanes, lane, 5.0)) == [50.0]


class Endless(Fake):
    """Runs for ever on row 13, unless it is stopped: as a graph with a loop does."""

    def score(self, rows: Sequence[Row], features: Matrix) -> Outputs:
        stops = self.stopped
        while any(row[0] == 13.0 for row in rows):
            if self.stopped > stops:
                raise RuntimeError("terminated")
            threading.Event().wait(0.001)
        return super().score(rows, features)


@pytest.mark.slow
@in_loop
async def test_a_quick_model_that_hangs_on_one_request_is_moved_off_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    fake, lanes = Endless(), Lanes(Bounds(model_s=0.2))
    lane, other = lane_of(fake, cap=1), lane_of(Fake())
    hanging, behind = ask(lanes, lane, 13.0), ask(lanes, other, 1.0)
    assert values(await behind) == [10.0]
    assert code(await hanging) == "deadline_exceeded"
    await until(lambda: not lane.is_stuck)
    assert values(await ask(lanes, lane, 2.0)) == [20.0]
    assert fake.stopped == 2
    assert threading.get_ident() not in fake.threads
    assert "hung on the loop; it has a thread from now on" in caplog.text


@in_loop
async def test_who_was_in_a_batch_with_a_request_that_hangs_is_told_with_it_and_the_lane_comes_back() -> None:
    fake, lanes = Endless(), Lanes(Bounds(model_s=0.2))
    lane = lane_of(fake, row_s=SLOW)
    outcomes = await asyncio.gather(*(ask(lanes, lane, row) for row in (1.0, 13.0, 2.0)))
    assert [code(one) for one in outcomes] == ["deadline_exceeded"] * 3
    await until(lambda: not lane.is_stuck)
    assert fake.stopped == 1  # the others are not tried one by one: nobody waits for them
    assert values(await ask(lanes, lane, 2.0)) == [20.0]


def test_a_model_that_hangs_keeps_no_process_alive() -> None:
    program = """
import asyncio, threading
from tests.serving.calls.fakes import SLOW, Fake, ask, lane_of
from unisono.drivers.serving.lanes import Bounds, Lanes

class Hangs(Fake):
    def score(self, rows, features):
        threading.Event().wait()

async def main():
    lanes = Lanes(Bounds(model_s=0.1))
    print((await ask(lanes, lane_of(Hangs(), row_s=SLOW), 1.0)).code)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "deadline_exceeded\n")
    assert done.stderr == "risk: its model has not answered for 0.1 s\n"


@in_loop
async def test_a_call_of_very_many_rows_leaves_the_loop_to_others() -> None:
    gate = threading.Event()
    fake, lanes = Fake(gate=gate), Lanes()
    lane, other = lane_of(fake), lane_of(Fake())
    rows = [float(row) for row in range(1000)]
    large = ask(lanes, lane, *rows)
    await until(lambda: bool(fake.asked))
    assert values(await ask(lanes, other, 1.0)) == [10.0]
    gate.set()
    assert values(await large) == [10.0 * row for row in rows]
    assert fake.aside == 1 and threading.get_ident() not in fake.threads
    assert [len(asked) for asked in fake.asked] == [MOST_ROWS, MOST_ROWS, MOST_ROWS, 1000 - 3 * MOST_ROWS]


@in_loop
async def test_very_many_rows_that_nobody_waits_for_any_more_are_not_run_to_the_end() -> None:
    gate = threading.Event()
    fake, lanes = Fake(gate=gate), Lanes()
    call = call_of(*map(float, range(1000)), done=lambda _: None)
    lanes.submit(lane := lane_of(fake), call)
    await until(lambda: bool(fake.asked))
    call.cancel()
    gate.set()
    await until(lambda: lane.is_idle)
    assert len(fake.asked) == 1


# Versions that come and go --------------------------------------------------------------------------------------------


@in_loop
async def test_calls_wait_for_a_version_that_is_being_loaded_as_long_as_they_may() -> None:
    fake, lanes = Fake(), Lanes()
    lane = lane_of(None)
    patient, hasty = ask(lanes, lane, 1.0), ask(lanes, lane, 2.0, timeout_s=0.02)
    assert code(await hasty) == "deadline_exceeded"
    lanes.loaded(lane, fake)
    assert values(await patient) == [10.0]
    assert fake.asked == [[1.0]]


@in_loop
async def test_calls_are_told_if_the_version_that_they_wait_for_cannot_be_had() -> None:
    lanes = Lanes()
    lane = lane_of(None)
    answers = [ask(lanes, lane, 1.0), ask(lanes, lane, 2.0)]
    assert not lane.is_idle
    lanes.failed(lane, RefusalError("not_available", "broken"))
    assert [code(await one) for one in answers] == ["not_available"] * 2
    assert lane.rows == 0 and lane.is_idle


@in_loop
async def test_a_lane_that_is_idle_is_told_of_when_somebody_wants_to_know() -> None:
    lanes = Lanes()
    idle: list[Lane] = []
    lane = lane_of(Fake(), cap=1)
    lanes.on_idle = idle.append
    await asyncio.gather(ask(lanes, lane, 1.0), ask(lanes, lane, 2.0))
    await until(lambda: idle == [lane])


# Shadows --------------------------------------------------------------------------------------------------------------


@in_loop
async def test_a_shadow_gets_copies_after_the_callers_have_their_answers() -> None:
    order: list[str] = []

    class Watching:
        def answered(self, predictor: str, batch: object) -> None:
            order.append("shadow" if batch.shadow else "callers")  # type: ignore[attr-defined]

    lanes = Lanes(watchers=[Watching()])
    shadow = Fake("shadow")
    lane = lane_of(Fake(), cap=4)
    lane.shadows = (lane_of(shadow, cap=256),)
    answers = await asyncio.gather(*(ask(lanes, lane, float(row)) for row in range(40)))
    assert all(isinstance(one, Answered) and one.version == "one" for one in answers)
    await until(lambda: len(order) == 10 + 3)
    assert order[:10] == ["callers"] * 10
    assert sorted(row for asked in shadow.asked for row in asked) == [float(row) for row in range(40)]
    assert max(map(len, shadow.asked)) == 16
    assert lanes.dropped == 0


@in_loop
async def test_copies_that_have_no_room_are_dropped_and_counted() -> None:
    lanes = Lanes(Bounds(wait_s=60.0))
    shadow = Fake("shadow")
    lane = lane_of(Fake())
    lane.shadows = (lane_of(shadow), lane_of(None))  # the other is not loaded
    callers = COPIED_ROWS + 30
    await asyncio.gather(*(ask(lanes, lane, float(row)) for row in range(callers)))
    await until(lambda: sum(map(len, shadow.asked)) == COPIED_ROWS)
    assert lanes.dropped == 30 + callers


@in_loop
async def test_a_shadow_that_fails_or_hangs_is_noticed_by_nobody() -> None:
    seen = Seen()
    lanes = Lanes(Bounds(model_s=0.05), watchers=[seen])
    failing, hanging = Fake(failing=frozenset({1.0})), Fake(gate=threading.Event())
    lane = lane_of(Fake())
    lane.shadows = (lane_of(failing), lane_of(hanging, row_s=SLOW))
    assert values(await ask(lanes, lane, 1.0)) == [10.0]
    await until(lambda: hanging.stopped == 1)
    assert values(await ask(lanes, lane, 2.0)) == [20.0]
    assert lane.is_idle
    assert hanging.gate is not None
    hanging.gate.set()
    await until(lambda: hanging.asked == [[1.0], [2.0]])
    assert [batch.shadow for batch in seen.batches if batch.answers is failing] == [True, True]


@in_loop
async def test_a_version_that_is_asked_and_is_a_shadow_serves_callers_first() -> None:
    lanes = Lanes()
    both = Fake("both")
    lane, shadow = lane_of(Fake(), cap=1), lane_of(both, cap=1)
    lane.shadows = (shadow,)
    first = [ask(lanes, lane, float(row)) for row in range(5)]
    await asyncio.gather(*first)
    assert values(await ask(lanes, shadow, 9.0)) == [90.0]
    assert both.asked[:2] in ([[0.0], [9.0]], [[9.0]], [[9.0], [0.0]])
    await until(lambda: len(both.asked) == 6)


def test_a_call_is_answered_once() -> None:
    told: list[Outcome] = []
    call = Call("risk", [(1.0,)], told.append)
    call.answer(ValueError("first"))
    call.answer(ValueError("second"))
    assert [str(one) for one in told] == ["first"]


# What is known about rows ---------------------------------------------------------------------------------------------


@in_loop
async def test_calls_that_cannot_be_looked_up_cost_the_others_nothing() -> None:
    class Picky(Fake):
        def look_up(self, call: Call, *, aside: bool = False) -> Known:
            if call.rows[0][0] == 2.0:
                raise un.InputError("too old")
            return super().look_up(call)

    fake, lanes = Picky(), Lanes()
    lane = lane_of(fake)
    one, bad, three = await asyncio.gather(*(ask(lanes, lane, row) for row in (1.0, 2.0, 3.0)))
    assert (values(one), values(three)) == ([10.0], [30.0])
    assert isinstance(bad, un.InputError)
    assert fake.asked == [[1.0, 3.0]]


def test_what_is_known_together_is_what_is_known_one_by_one(online: OnlinePredictor) -> None:
    lookup = Lookup(StateReader(online.store, online.plan), online.plan, clock=lambda: 0)
    time = online.store.last.time
    two: list[Row] = [("u2", 2, None, time + 5), ("u1", 1, "b", time)]
    asked: list[list[Row]] = [[("u1", 1, "a", None)], two, [("x", 9, "", None)]]
    whole, each = lookup.together(asked)
    for rows, known in zip(asked, each, strict=True):
        alone = lookup.known(rows)
        assert (known.rows, known.times, known.position) == (alone.rows, alone.times, alone.position)
        assert known.features.tobytes() == alone.features.tobytes()
    assert whole.features.tobytes() == b"".join(known.features.tobytes() for known in each)
    assert [*whole.rows] == [row for known in each for row in known.rows]
    with pytest.raises(un.InputError, match="lies before the log's"):
        lookup.together([asked[0], [("u1", 1, "a", time - 1)]])
