"""What runs next, of all that waits.

No timers: a call that finds nobody waiting is run in the next turn of the loop, together with everything that has come
in until then. Lanes take turns, a batch each, so that a model with many callers leaves the others their share.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from time import perf_counter
from typing import NamedTuple, Protocol

from unisono.drivers.serving.batches import Batch
from unisono.drivers.serving.calls import Call
from unisono.drivers.serving.lane import Answers, Lane, late
from unisono.drivers.serving.pace import MOST_ROWS
from unisono.drivers.serving.refusals import RefusalError
from unisono.drivers.serving.runs import Run, run_of
from unisono.drivers.serving.threads import Threads
from unisono.drivers.serving.watchdog import Watchdog

_LOGGER = logging.getLogger(__name__)

_LOOK_S = 0.05  # between two looks at what a thread works on and what waits for a version that is being loaded


class Watcher(Protocol):
    """Who wants to see what was answered, e.g. metrics and the prediction log. It must not wait."""

    def answered(self, predictor: str, batch: Batch) -> None:
        """A batch was answered; its callers have their answers. Of a shadow: nobody has."""
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


class Lanes:
    """All lanes of a worker, on one loop.

    bounds:   when calls are refused; may be replaced.
    watchers: see what was answered.
    dropped:  copies for shadows that had no room, since it began.

    Everything but what takes long runs on the thread of the loop that the first call comes in on.
    """

    def __init__(self, bounds: Bounds | None = None, watchers: Sequence[Watcher] = ()) -> None:
        self.bounds = bounds or Bounds()
        self.dropped = 0
        self.on_idle: Callable[[Lane], None] | None = None
        self._watchers = watchers
        self._ready: deque[Lane] = deque()
        self._ready_late: deque[Lane] = deque()  # with nothing but copies
        self._is_due = False
        self._runs: set[Run] = set()
        self._unloaded: set[Lane] = set()  # where calls wait
        self._look: asyncio.TimerHandle | None = None
        self._watchdog = Watchdog()
        self._threads = Threads("model")
        self._threads_late = Threads("shadow", idle=1, nice=10)

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        self._watchdog.watch()
        return asyncio.get_running_loop()

    # Coming in --------------------------------------------------------------------------------------------------------

    def submit(self, lane: Lane, call: Call) -> None:
        """Let a call wait for its turn. Raises RefusalError if that would take too long."""
        self._admit(lane, call)
        lane.add(call)
        if lane.can_run:
            self._queue(lane)
        elif lane.answers is None:
            self._unloaded.add(lane)
            self._look_later()

    def loaded(self, lane: Lane, answers: Answers) -> None:
        """The version of a lane is there; what waits for it may run."""
        lane.answers = answers
        self._unloaded.discard(lane)
        if lane.waiting:
            self._queue(lane)

    def failed(self, lane: Lane, reason: Exception) -> None:
        """The version of a lane cannot be had; what waits for it is told so."""
        self._unloaded.discard(lane)
        lane.refuse_all(reason)

    def _admit(self, lane: Lane, call: Call) -> None:
        bounds, rows = self.bounds, len(call.rows)
        if not 0 < rows <= bounds.rows:
            raise _wrong_size(lane, rows, bounds.rows)
        if lane.is_stuck:
            raise _stuck(lane)
        if not lane.waiting and lane.run is None:
            return
        allowed_s = min(bounds.wait_s, call.deadline_s - call.queued_s)
        if allowed_s <= 0:
            raise late()
        has_room = lane.rows + rows <= bounds.rows
        if has_room and lane.run is None:
            pace, ahead = lane.pace, lane.rows
            if pace.wait_s(ahead) <= allowed_s and pace.seconds(ahead) * len(self._ready) <= allowed_s:
                return  # as if all others had as much to do: mostly that is enough to know
        wait_s = self.expected_wait_s(lane)
        if wait_s > allowed_s or not has_room:
            raise _overloaded(lane, wait_s, allowed_s, bounds.rows)

    def expected_wait_s(self, lane: Lane) -> float:
        """How long a call would wait now: until all before it in its lane have run, and the others had their turns.

        By what models take, and by how the lane was served lately, with all that the loop does besides: whichever is
        longer. What is not known takes no time. Cost: a look at each lane that waits for its turn.
        """
        own_s = lane.pace.seconds(lane.rows)
        if lane.run is not None:
            return own_s + lane.run.left_s(perf_counter())
        others_s = sum(min(one.pace.seconds(one.rows), own_s) for one in self._ready if one is not lane)
        return max(own_s + others_s, lane.pace.wait_s(lane.rows))

    # Drained ----------------------------------------------------------------------------------------------------------

    # Taking turns -----------------------------------------------------------------------------------------------------

    def _queue(self, lane: Lane) -> None:
        if not lane.is_queued:
            lane.is_queued = True
            self._ready.append(lane)
            self._turn_soon()

    def _queue_late(self, lane: Lane) -> None:
        if not lane.is_queued_late:
            lane.is_queued_late = True
            self._ready_late.append(lane)
            self._turn_soon()

    def _turn_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """One batch of the lane whose turn it is; copies only when no caller waits."""
        self._is_due = False
        if self._ready:
            lane = self._ready.popleft()
            lane.is_queued = False
        else:
            lane = self._ready_late.popleft()
            lane.is_queued_late = False
        if lane.can_run:  # else it was queued before a thread took it
            self._run_next(lane)
        self._go_on(lane)
        if self._ready or self._ready_late:
            self._turn_soon()

    def _run_next(self, lane: Lane) -> None:
        now = lane.used_s = perf_counter()
        is_shadow = not lane.waiting
        if lane.began_s:
            lane.pace.served(lane.began_rows, now - lane.began_s)
            lane.began_s = 0.0
        calls = lane.take(now) if lane.waiting else lane.take_copies() if lane.copies else []
        if not calls:
            return
        assert lane.answers is not None
        batch = Batch(lane.answers, calls, is_shadow)
        rows = len(calls[0].rows) if len(calls) == 1 else sum([len(call.rows) for call in calls])
        if rows <= MOST_ROWS:
            batch.look_up()
        if lane.pace.fits_loop(rows):
            if lane.waiting:
                lane.began_s, lane.began_rows = now, rows
            self._run_here(lane, batch)
            if not lane.began_s and not is_shadow:
                lane.pace.served(rows, perf_counter() - now)
        else:
            self._run_in_thread(lane, batch)

    def _run_here(self, lane: Lane, batch: Batch) -> None:
        watchdog = self._watchdog
        watchdog.batch = batch
        batch.run()
        watchdog.batch = None
        if not batch.is_stopped or batch.has_run:
            self._finish(lane, batch)
            return
        _LOGGER.error("%s: its model hung on the loop; it has a thread from now on", lane.predictor)
        lane.pace.distrust()
        self._run_in_thread(lane, batch)

    def _go_on(self, lane: Lane) -> None:
        """What comes next for a lane."""
        if lane.can_run:
            if lane.waiting:
                self._queue(lane)
            elif lane.copies:
                self._queue_late(lane)
            elif self.on_idle is not None:
                self.on_idle(lane)

    def _finish(self, lane: Lane, batch: Batch) -> None:
        """Callers get their answers; then whoever watches, and shadows."""
        batch.give()
        if not batch.calls:
            return
        if batch.has_run:
            lane.pace.observe(batch.size, batch.model_s)
        for watcher in self._watchers:
            try:
                watcher.answered(lane.predictor, batch)
            except Exception:
                _LOGGER.exception("%s: whoever watches the answers failed", lane.predictor)
        if lane.shadows and batch.has_run and not batch.shadow:
            self._copy(batch, lane.shadows)

    def _copy(self, batch: Batch, shadows: Sequence[Lane]) -> None:
        for shadow in shadows:
            for known in batch.known:
                if not shadow.add_copy(known):
                    self.dropped += 1
                elif shadow.run is None:
                    self._queue_late(shadow)

    # In threads -------------------------------------------------------------------------------------------------------

    def _run_in_thread(self, lane: Lane, batch: Batch) -> None:
        """What takes long has a thread, so that the loop and the other models go on."""
        run = lane.run = run_of(lane, batch)
        self._runs.add(run)
        self._look_later()

        def work() -> None:
            try:
                run.work()
            finally:
                with suppress(RuntimeError):  # the loop has ended meanwhile
                    self._loop.call_soon_threadsafe(self._end, run)

        (self._threads_late if batch.shadow else self._threads).start(work)

    def _end(self, run: Run) -> None:
        """A thread is done with a batch. If it was given up, its lane may go on from here."""
        self._runs.discard(run)
        lane = run.lane
        lane.run = None
        if not run.is_given_up:
            self._finish(lane, run.batch)
        self._go_on(lane)

    def _look_later(self) -> None:
        if self._look is None:
            self._look = self._loop.call_later(_LOOK_S, self._look_at_all)

    def _look_at_all(self) -> None:
        """Tell those whose deadline has passed while they could not run, and give up what hangs."""
        self._look = None
        now = perf_counter()
        for run in tuple(self._runs):
            if run.look(now, self.bounds.model_s):
                _LOGGER.error("%s: its model has not answered for %g s", run.lane.predictor, self.bounds.model_s)
                run.give_up(self.bounds.model_s)
        for lane in tuple(self._unloaded):
            lane.forget_late(now)
            if not lane.waiting:
                self._unloaded.discard(lane)
        if self._runs or self._unloaded:
            self._look_later()


def _wrong_size(lane: Lane, rows: int, most: int) -> RefusalError:
    message = f"{lane.predictor}: {rows} rows in one request; allowed: 1 to {most}; send them in several requests"
    return RefusalError("body_too_large" if rows else "invalid_request", message)


def _stuck(lane: Lane) -> RefusalError:
    return RefusalError(
        "not_available",
        f"{lane.predictor}: its model hangs since it was given an earlier request; allowed: requests once it answers "
        "again; come again later",
        retry_after_s=5.0,
    )


def _overloaded(lane: Lane, wait_s: float, allowed_s: float, rows: int) -> RefusalError:
    return RefusalError(
        "overloaded",
        f"{lane.predictor}: {lane.rows} rows wait, for about {wait_s:.3f} s; allowed: {allowed_s:.3f} s and "
        f"{rows} rows; come again later, or send less",
        retry_after_s=max(wait_s, 1.0),
    )
