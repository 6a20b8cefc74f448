"""The versions that a worker has in memory: loaded when they are asked for; the least recently used make room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import perf_counter

from unisono.drivers.serving.calls import Call
from unisono.drivers.serving.lane import Answers, Lane
from unisono.drivers.serving.lanes import Lanes
from unisono.drivers.serving.refusals import RefusalError
from unisono.drivers.serving.threads import Threads
from unisono.drivers.serving.versions.memory import trim
from unisono.drivers.serving.versions.slots import Loaded, Loader, Slot
from unisono.spec.errors import StoreError, UnisonoError

_LOGGER = logging.getLogger(__name__)

AGAIN_S = 5.0
"""A version that could not be loaded is tried again, if it is asked for, after so long."""

_USABLE = 0.97  # of the budget; what calls take for a moment, and what malloc keeps, is more than what is resident now
_WHILE_LOADING = 2  # times its size is what a version takes until its files and golden rows are gone again
_WEIGHT = 0.2  # of a new observation of how long loading takes
_NICE = 5  # more, and what the thread holds while others have the processor would be missed


class Shelf:
    """The versions in memory, on one loop; one thread loads them, one after the other.

    lanes:        all of the worker.
    loader:       loads a version.
    budget_bytes: what the process may have in memory, with all that it had before the first version.
    resident:     what it has.
    """

    def __init__(self, lanes: Lanes, loader: Loader, budget_bytes: int, *, resident: Callable[[], int]) -> None:
        self.budget_bytes = budget_bytes
        self.evictions = 0
        self._lanes = lanes
        self._loader = loader
        self._resident = resident
        self._base_bytes = resident()
        self._on_shelf: set[Slot] = set()
        self._leaving: set[Slot] = set()
        self._called: dict[Slot, None] = {}  # wanted since calls wait, in order
        self._planned: dict[Slot, None] = {}  # wanted for calls that will come
        self._being_loaded: Slot | None = None
        self._out: list[Answers] = []  # taken from the shelf, not yet freed
        self._load_s = 0.0
        self._threads = Threads("versions", idle=1, nice=_NICE)

    @property
    def room_bytes(self) -> int:
        """For versions."""
        return max(self._limit_bytes - self._base_bytes, 0)

    @property
    def _limit_bytes(self) -> int:
        return int(_USABLE * self.budget_bytes)

    @property
    def loaded_bytes(self) -> int:
        """What the versions in memory take."""
        return sum(slot.size_bytes for slot in self._on_shelf)

    @property
    def loaded(self) -> int:
        """How many versions are in memory."""
        return len(self._on_shelf)

    # Asking for a version ---------------------------------------------------------------------------------------------

    def has_room(self, slot: Slot) -> bool:
        """Whether a version fits beside all that is there or wanted."""
        wanted = [*self._called, *self._planned, *([self._being_loaded] if self._being_loaded else [])]
        promised_bytes = sum(one.size_bytes for one in wanted)
        return self.loaded_bytes + promised_bytes + slot.size_bytes <= self.room_bytes

    def check(self, slot: Slot, call: Call) -> None:
        """Raises RefusalError if a version that is not in memory will not be there in time for a call."""
        now = perf_counter()
        if slot.state == "FAILED" and now < slot.tried_s + AGAIN_S:
            raise _unavailable(slot, slot.tried_s + AGAIN_S - now)
        wait_s = 0.0 if slot in self._called or slot is self._being_loaded else len(self._called) * self._load_s
        if now + wait_s > call.deadline_s:
            raise _thrashing(slot, wait_s)

    def want(self, slot: Slot, *, is_called: bool = False) -> asyncio.Future[None]:
        """Have a version in memory; the future raises UnisonoError if that cannot be.

        is_called: since a call waits for it: those come first, and it is forgotten if none waits any more.
        """
        loading = slot.loading
        if loading is None:
            loading = slot.loading = asyncio.get_running_loop().create_future()
            slot.state = "LOADING"
            (self._called if is_called else self._planned)[slot] = None
            self._go_on()
        elif is_called and slot in self._planned:
            del self._planned[slot]
            self._called[slot] = None
        return loading

    def give_up(self, slot: Slot) -> None:
        """Have a version in memory no longer than it takes to answer those who wait for it."""
        slot.is_leaving, slot.is_pinned = True, False
        if slot.loading is not None:
            self._leaving.add(slot)
            self._let_go()

    # Loading ----------------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Load what is wanted next, once there is room for it."""
        while self._being_loaded is None and (wanted := self._called or self._planned):
            slot = next(iter(wanted))
            if not slot.lane.waiting and (slot.is_leaving or wanted is self._called):
                del wanted[slot]
                self._forget(slot)
            elif slot.least_bytes > self.room_bytes:
                del wanted[slot]
                self._fail(slot, _too_large(slot, self.room_bytes))
            elif self._make_room(min(slot.size_bytes, self.room_bytes)):
                del wanted[slot]
                self._load(slot)
            elif all(one.will_stay for one in self._on_shelf):
                del wanted[slot]
                self._fail(slot, _no_room(slot, self.room_bytes))
            else:  # one of those that are busy will be idle
                self._lanes.on_idle = self._idle
                return

    def _load(self, slot: Slot) -> None:
        self._being_loaded = slot
        loop = asyncio.get_running_loop()
        out, self._out = self._out, []

        def work() -> None:
            outcome, seconds = _load(self._loader, slot, out)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(self._end, slot, outcome, seconds)

        self._threads.start(work)

    def _end(self, slot: Slot, outcome: Loaded | Exception, seconds: float) -> None:
        self._being_loaded = None
        self._load_s += _WEIGHT * (seconds - self._load_s) if self._load_s else seconds
        if isinstance(outcome, Exception):
            self._fail(slot, outcome)
        elif outcome.size_bytes > self.room_bytes:
            slot.size_bytes, slot.is_measured = outcome.size_bytes, True
            self._out.append(outcome)
            self._fail(slot, _too_large(slot, self.room_bytes))
        else:
            self._put(slot, outcome)
        self._evict(max(self.loaded_bytes - self.room_bytes, self._resident() - self._limit_bytes))
        self._let_go()

    def _put(self, slot: Slot, loaded: Loaded) -> None:
        slot.state, slot.reason, slot.size_bytes, slot.is_measured = "READY", "", loaded.size_bytes, True
        slot.outputs = loaded.outputs
        for rows, seconds in loaded.timings:
            slot.lane.pace.observe(rows, seconds)
        slot.lane.used_s = perf_counter()
        self._on_shelf.add(slot)
        slot.settle(None)
        self._lanes.loaded(slot.lane, loaded)

    def _fail(self, slot: Slot, error: Exception) -> None:
        if not isinstance(error, UnisonoError):
            _LOGGER.error("%s: version %s cannot be loaded", slot.predictor, slot.version, exc_info=error)
            error = StoreError(f"version {slot.version} cannot be loaded ({type(error).__name__}: {error}); {_AGAIN}")
        slot.state, slot.reason, slot.tried_s = "FAILED", str(error), perf_counter()
        self._lanes.failed(slot.lane, _unavailable(slot, AGAIN_S))
        slot.settle(error)

    def _forget(self, slot: Slot) -> None:
        """Nobody waits for it any more."""
        slot.state = "UNAVAILABLE"
        slot.settle(StoreError(f"{slot.predictor}: version {slot.version} is not asked for any more"))

    # Leaving ----------------------------------------------------------------------------------------------------------

    def _make_room(self, size_bytes: int) -> bool:
        """Let the least recently used leave, if that makes enough room; returns whether there is."""
        needed = self.loaded_bytes + size_bytes - self.room_bytes
        if needed > sum(slot.size_bytes for slot in self._on_shelf if slot.can_leave):
            return False
        self._evict(max(needed, self._resident() + _WHILE_LOADING * size_bytes - self._limit_bytes))
        return True

    def _evict(self, size_bytes: int) -> None:
        """Let the least recently used leave until so much is free, as far as they can."""
        for slot in sorted(self._on_shelf, key=lambda slot: slot.lane.used_s):
            if size_bytes <= 0:
                return
            if slot.can_leave:
                self._take_out(slot)
                self.evictions += 1
                size_bytes -= slot.size_bytes

    def _take_out(self, slot: Slot) -> None:
        self._on_shelf.discard(slot)
        self._leaving.discard(slot)
        assert slot.lane.answers is not None
        self._out.append(slot.lane.answers)
        slot.lane.answers = slot.loading = None
        slot.state = "UNAVAILABLE"

    def _let_go(self) -> None:
        """What is to leave and can, leaves; then there may be room for what is wanted."""
        for slot in [slot for slot in self._leaving if slot.can_leave]:
            self._take_out(slot)
        self._leaving = {slot for slot in self._leaving if slot.loading is not None}
        self._lanes.on_idle = self._idle if self._leaving else None
        self._go_on()
        if self._out:
            out, self._out = self._out, []
            self._threads.start(partial(_free, out))  # not on the loop, where a large one would be missed

    def _idle(self, lane: Lane) -> None:
        """A lane has nothing to do: its version may be one that is to leave, or one that others need the room of."""
        self._let_go()


def _load(loader: Loader, slot: Slot, out: list[Answers]) -> tuple[Loaded | Exception, float]:
    """In the thread: free what was taken out, then load; what came of it, and the seconds that it took."""
    began_s = perf_counter()
    _free(out)
    try:
        return loader(slot.predictor, slot.path), perf_counter() - began_s
    except Exception as error:
        return error, perf_counter() - began_s


def _free(out: list[Answers]) -> None:
    out.clear()
    trim()


_AGAIN = "see the server's log"


def _unavailable(slot: Slot, retry_after_s: float) -> RefusalError:
    return RefusalError(
        "not_available",
        f"{slot.predictor}: version {slot.version} cannot be loaded; allowed: versions that can; see `/health/ready`",
        retry_after_s=retry_after_s,
    )


def _thrashing(slot: Slot, wait_s: float) -> RefusalError:
    return RefusalError(
        "overloaded",
        f"{slot.predictor}: version {slot.version} would be loaded in about {wait_s:.3f} s, after others; allowed: as "
        "long as the request may take; come again later, or allow more time",
        retry_after_s=max(wait_s, 1.0),
    )


def _too_large(slot: Slot, room_bytes: int) -> StoreError:
    return StoreError(
        f"{slot.predictor}: version {slot.version} takes {slot.least_bytes} bytes of memory; allowed: {room_bytes}, "
        "what [serve.memory] bytes leaves a worker; raise it, or let there be fewer workers"
    )


def _no_room(slot: Slot, room_bytes: int) -> StoreError:
    return StoreError(
        f"{slot.predictor}: version {slot.version} takes {slot.size_bytes} bytes of memory, and pinned versions leave "
        f"no room for it; allowed: {room_bytes} for all; raise [serve.memory] bytes, or pin fewer"
    )
