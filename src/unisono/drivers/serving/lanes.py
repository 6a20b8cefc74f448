"""What waits for which version, and what runs next.

No timers: a call that finds nobody waiting is run in the next turn of the loop, together with everything that has come
in until then. Lanes take turns, a batch each, so that a model with many callers leaves the others their share.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter
from typing import NamedTuple, Protocol

from unisono.drivers.online.reading import Known
from unisono.drivers.scores import Matrix, Outputs, Row
from unisono.drivers.serving.batches import Batch, answer_each, known_of
from unisono.drivers.serving.calls import Call
from unisono.drivers.serving.pace import Pace
from unisono.drivers.serving.refusals import RefusalError

_LOGGER = logging.getLogger(__name__)


class Answers(Protocol):
    """A version that is loaded; see `versions.loaded.LoadedVersion`."""

    @property
    def id(self) -> str:
        """Of the version."""
        ...

    def look_up(self, call: Call) -> Known:
        """What is known about the rows of a call. On the thread of the loop. Raises InputError."""
        ...

    def score(self, rows: Sequence[Row], features: Matrix) -> Outputs:
        """The outputs, one a row. On any thread; one call at a time."""
        ...

    def stop(self) -> None:
        """Let what runs now end as soon as it can, with an error. On any thread."""
        ...


class Watcher(Protocol):
    """Who wants to see what was answered, e.g. metrics and the prediction log. It must not wait."""

    def answered(self, predictor: str, batch: Batch) -> None:
        """A batch was answered; its callers have their answers."""
        ...


class Bounds(NamedTuple):
    """When a call is refused, or given up.

    wait_s:  longest that a call is let wait for its turn.
    rows:    most rows that wait for one version.
    model_s: longest that a model may take for a batch; then its callers are answered, and it is stopped.
    """

    wait_s: float = 1.0
    rows: int = 10_000
    model_s: float = 10.0


class Lane:
    """The calls that wait for one version.

    predictor: whose.
    answers:   the version; None while it is being loaded.
    """

    __slots__ = ("answers", "is_running", "is_stuck", "pace", "predictor", "rows", "threads", "waiting")

    def __init__(self, predictor: str, answers: Answers | None = None) -> None:
        self.predictor = predictor
        self.answers = answers
        self.pace = Pace()
        self.waiting: deque[Call] = deque()
        self.rows = 0
        self.is_running = False  # in a thread
        self.is_stuck = False
        self.threads: ThreadPoolExecutor | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self.waiting and not self.is_running

    def take(self, now: float) -> list[Call]:
        """The next calls, as many rows as a batch may have, and at least one call.

        Those that nobody waits for are forgotten; those that are too late are told so, and never run.
        """
        taken: list[Call] = []
        room = self.pace.cap
        while self.waiting and (not taken or len(self.waiting[0].rows) <= room):
            call = self.waiting.popleft()
            self.rows -= len(call.rows)
            if call.cancelled:
                continue
            if now > call.deadline_s:
                call.done(late())
                continue
            call.spent_s[1] = now - call.queued_s
            room -= len(call.rows)
            taken.append(call)
        return taken


def late() -> RefusalError:
    """The refusal of a call whose deadline has passed."""
    return RefusalError(
        "deadline_exceeded",
        "the deadline passed before the request was run; allowed: an answer in time; allow more time, or come again",
        retry_after_s=1.0,
    )


@dataclass(slots=True)
class _Run:
    """A batch that a thread works on."""

    lane: Lane
    batch: Batch
    timer: asyncio.TimerHandle | None = None
    is_given_up: bool = False


class Lanes:
    """All lanes of a worker, on one loop.

    bounds:   when calls are refused.
    watchers: see what was answered.

    Everything but slow models runs on the thread of the loop that the first call comes in on.
    """

    def __init__(self, bounds: Bounds | None = None, watchers: Sequence[Watcher] = ()) -> None:
        self._bounds = bounds or Bounds()
        self._watchers = watchers
        self._ready: deque[Lane] = deque()
        self._is_due = False
        self._runs: set[int] = set()
        self.on_idle: Callable[[Lane], None] = lambda lane: None

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    # Coming in --------------------------------------------------------------------------------------------------------

    def submit(self, lane: Lane, call: Call) -> None:
        """Let a call wait for its turn. Raises RefusalError if that would take too long."""
        self._admit(lane, call)
        if not lane.waiting and not lane.is_running and lane.answers is not None:
            self._ready.append(lane)
        lane.waiting.append(call)
        lane.rows += len(call.rows)
        self._turn_soon()

    def loaded(self, lane: Lane, answers: Answers) -> None:
        """The version of a lane is there; what waits for it may run."""
        lane.answers = answers
        if lane.waiting:
            self._ready.append(lane)
            self._turn_soon()

    def failed(self, lane: Lane, error: Exception) -> None:
        """The version of a lane cannot be had; what waits for it is told so."""
        waiting, lane.waiting, lane.rows = lane.waiting, deque(), 0
        for call in waiting:
            if not call.cancelled:
                call.done(error)

    def _admit(self, lane: Lane, call: Call) -> None:
        if lane.is_stuck:
            raise RefusalError(
                "not_available",
                f"{lane.predictor}: its model hangs since it was given an earlier request; allowed: requests once it "
                "answers again; come again later",
                retry_after_s=5.0,
            )
        wait_s = self.expected_wait_s(lane)
        allowed_s = min(self._bounds.wait_s, call.deadline_s - call.queued_s)
        if lane.rows + len(call.rows) > self._bounds.rows or (wait_s > allowed_s and lane.waiting):
            raise RefusalError(
                "overloaded",
                f"{lane.predictor}: {lane.rows} rows wait, for about {wait_s:.3f} s; allowed: {allowed_s:.3f} s and "
                f"{self._bounds.rows} rows; come again later, or send less",
                retry_after_s=wait_s,
            )

    def expected_wait_s(self, lane: Lane) -> float:
        """How long a call would wait now: until all before it in its lane have run, and the others had their turns."""
        own_s = lane.pace.seconds(lane.rows)
        others_s = sum(min(one.pace.seconds(one.rows), own_s) for one in self._ready if one is not lane)
        return own_s + others_s

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self._ready and not self._runs

    # Taking turns -----------------------------------------------------------------------------------------------------

    def _turn_soon(self) -> None:
        if not self._is_due and self._ready:
            self._is_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """One batch of the lane whose turn it is."""
        self._is_due = False
        lane = self._ready.popleft()
        now = perf_counter()
        batch = self._look_up(lane, lane.take(now), now)
        if batch is None:
            self._go_on(lane)
        elif lane.pace.is_quick:
            answer_each(batch)
            self._finish(lane, batch)
        else:
            self._run_in_thread(lane, batch)
        self._turn_soon()

    def _look_up(self, lane: Lane, calls: Sequence[Call], now: float) -> Batch | None:
        assert lane.answers is not None
        found = known_of(lane.answers, calls, now)
        return found if found.calls else None

    def _run_in_thread(self, lane: Lane, batch: Batch) -> None:
        """Slow models have a thread each, so that the loop and the other models go on."""
        if lane.threads is None:
            lane.threads = ThreadPoolExecutor(1, thread_name_prefix=f"model-{lane.predictor}")
        lane.is_running = True
        run = _Run(lane, batch)
        run.timer = self._loop.call_later(self._bounds.model_s, self._give_up, run)
        self._runs.add(id(run))
        future = lane.threads.submit(batch.run)
        future.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._end, run))

    def _give_up(self, run: _Run) -> None:
        """A model takes too long: its callers are told, and it is asked to stop."""
        run.is_given_up = True
        run.lane.is_stuck = True
        _LOGGER.error("%s: its model has not answered for %g s", run.lane.predictor, self._bounds.model_s)
        hung = RefusalError(
            "deadline_exceeded",
            f"{run.lane.predictor}: its model took longer than {self._bounds.model_s:g} s; allowed: less; send another "
            "request, or use another version",
        )
        for call in run.batch.calls:
            if not call.cancelled:
                call.done(hung)
        self.failed(run.lane, hung)
        run.batch.answers.stop()

    def _end(self, run: _Run) -> None:
        if run.timer is not None:
            run.timer.cancel()
        self._runs.discard(id(run))
        lane = run.lane
        lane.is_running = lane.is_stuck = False
        if run.is_given_up:
            self._go_on(lane)
            return
        answer_each(run.batch)
        self._finish(lane, run.batch)
        self._turn_soon()

    def _finish(self, lane: Lane, batch: Batch) -> None:
        if batch.has_run:
            lane.pace.observe(len(batch.rows), batch.model_s)
        for watcher in self._watchers:
            watcher.answered(lane.predictor, batch)
        self._go_on(lane)

    def _go_on(self, lane: Lane) -> None:
        if lane.waiting:
            self._ready.append(lane)
            self._turn_soon()
        elif lane.is_idle:
            self.on_idle(lane)
