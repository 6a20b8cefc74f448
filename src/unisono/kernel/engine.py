"""The kernel's face to the rest of the house: states of many keys, fed in batches."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from unisono.kernel import descriptor as at
from unisono.kernel import layout
from unisono.kernel.call import Call, address_of, bytes_of
from unisono.kernel.plan import Plan
from unisono.kernel.slab import SLAB_HEADER
from unisono.spec.errors import StateError

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Answers = npt.NDArray[np.float64]
Buffer = bytes | bytearray | memoryview
Emit = Literal["none", "requests", "events"]

EMIT = {"none": at.EMIT_NOTHING, "requests": at.EMIT_REQUESTS, "events": at.EMIT_EVENTS}
FIRST_SLAB_WORDS = 1 << 16
SMALLEST_SIZE_BYTES = 8 * (layout.STATE_CHECK + 1)


@dataclass(slots=True)
class Events:
    """A batch of events in log order, as arrays of one length.

    key:        slot number of the entity key.
    time:       event time, microseconds since 1970 UTC.
    ingest:     ingest time, not falling; may be the same array as `time`.
    values:     an array a column, int64 for fixed (null: NULL_INT), float64 for float (null: the payload of NULL).
    id:         int64, never NO_ID; needed if the plan has ids.
    retraction: 1 where the row retracts the event of its key, id and event time.
    """

    key: Int32s
    time: Int64s
    ingest: Int64s
    values: list[npt.NDArray[Any]] = field(default_factory=list)
    id: Int64s | None = None
    retraction: npt.NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.key)


@dataclass(slots=True)
class Requests:
    """A batch of requests: slot numbers and times."""

    key: Int32s
    time: Int64s

    def __len__(self) -> int:
        return len(self.key)


class States:
    """The states of many keys of one plan, in one piece of memory. Not to be shared between threads.

    slots:   how many keys there are at first; `ensure_slots` makes room for more.
    partial: the log folded here does not begin where the world's log begins, and the states will be the later side
             of a `merge`: they keep every row that a merge may still have to compare.
    reuse:   operations come sorted by key, and one state serves one key after the other: for frames, where no state
             is wanted afterwards.
    """

    def __init__(self, plan: Plan, slots: int = 0, *, partial: bool = False, reuse: bool = False) -> None:
        self.plan = plan
        self._call = Call(plan)
        self._call.words[at.FLAGS] = layout.FLAG_PARTIAL if partial else 0
        self._call.words[at.REUSE] = reuse
        self._batch = (0, 0)
        self._slots = np.zeros(0, np.int64)
        self._slab = np.zeros(0, np.int64)
        self._grow_slab(FIRST_SLAB_WORDS)
        self.ensure_slots(1 if reuse else slots)

    @property
    def slots(self) -> int:
        """How many keys there is room for."""
        return len(self._slots)

    @property
    def size_bytes(self) -> int:
        """The memory given out to states, freed blocks included."""
        return 8 * int(self._slab[1])

    def ensure_slots(self, slots: int) -> None:
        """Make room for at least so many keys."""
        if slots > len(self._slots) or len(self._slots) == 0:
            grown = np.zeros(max(slots, len(self._slots) + len(self._slots) // 2, 1), np.int64)
            grown[: len(self._slots)] = self._slots
            self._slots = grown
            self._call.put(at.SLOTS, grown)

    def replay(
        self,
        events: Events,
        requests: Requests | None = None,
        order: Int32s | None = None,
        *,
        emit: Emit = "requests",
        answers: Answers | None = None,
    ) -> Answers:
        """Fold events and answer requests, one operation after the other.

        order:   int32 an operation: i >= 0 folds event i, i < 0 answers request ~i; None folds all events in order.
        emit:    "requests": row ~i of the answer belongs to request ~i; "events": every event is followed by a read at
                 its ingest time, row i; "none": fold only.
        answers: where to write, float64 rows x outputs; made if it is not given.

        A batch handed in again, as the same objects, is taken to hold the same arrays: only `order` may differ.
        Returns the answers; null is told from NaN by `codec.nulls`.
        Raises StateError if a request asks for a time so early that events it needs have been let go of.
        """
        rows = {"none": 0, "requests": len(requests) if requests else 0, "events": len(events)}[emit]
        if answers is None:
            answers = np.empty((rows, len(self.plan.outputs)), np.float64)
        self._put_batch(events, requests, order)
        self._call.words[at.EMIT] = EMIT[emit]
        self._call.put(at.ANSWERS, answers)
        self._run(0, len(events) if order is None else len(order), requests)
        return answers

    def advance(self, slots: npt.NDArray[np.integer[Any]], time: int) -> None:
        """Bring states up to a time, so that reads soon after it have little to do. Values do not change."""
        words = self._call.words
        words[at.TIME] = time
        for slot in slots.tolist():
            words[at.SLOT] = slot
            self._call.run("advance")

    def export(self, slot: int) -> bytes:
        """The state of one key as bytes with a checksum; b"" if nothing was ever folded into it."""
        self._call.words[at.SLOT] = slot
        size = self._call.run("packed_bytes")
        if size == 0:
            return b""
        packed = np.empty(size >> 3, np.int64)
        self._call.words[at.OUTPUT] = address_of(packed)
        self._call.run("pack")
        packed[layout.STATE_CHECK] = 0
        packed[layout.STATE_CHECK] = zlib.crc32(packed.data)
        return packed.tobytes()

    def load(self, slot: int, state: Buffer) -> None:
        """Continue an exported state in an empty slot.

        Raises StateError if the bytes are damaged, cut short, or a state of another plan, or if the slot is in use.
        """
        if len(state) == 0:
            return
        if self._slots[slot] != 0:
            raise StateError(f"slot {slot} holds a state already; load into an empty slot")
        check_state(self.plan, state)
        self._give("take_in", slot, state)

    def merge(self, slot: int, later: Buffer) -> None:
        """Fold the exported state of the log's next range into a slot. See `merge`."""
        if len(later):
            check_state(self.plan, later)
            self._give("merge", slot, later)

    def _give(self, function: str, slot: int, state: Buffer) -> None:
        view = bytes_of(state)
        words = self._call.words
        words[at.SLOT] = slot
        words[at.STATE_BYTES] = len(view)
        words[at.STATE] = address_of(view)
        self._reserve(8 * len(view))
        refuse(self._call.run(function), self.plan, state)

    def _reserve(self, words: int) -> None:
        """Grow the slab until so many words are free, so that the next call cannot run out of room half-way."""
        if len(self._slab) - int(self._slab[1]) < words:
            self._grow_slab(len(self._slab) + words)

    def _put_batch(self, events: Events, requests: Requests | None, order: Int32s | None) -> None:
        call = self._call
        call.put(at.ORDER, order)
        if self._batch == (id(events), id(requests)):
            return
        self._batch = (id(events), id(requests))
        self._arrays = (events, requests)  # kept, so that no other object can get their ids
        call.put(at.EVENT_KEY, events.key)
        call.put(at.EVENT_TIME, events.time)
        call.put(at.EVENT_INGEST, events.ingest)
        call.put(at.EVENT_ID, events.id)
        call.put(at.EVENT_RETRACTION, events.retraction)
        call.put(at.REQUEST_KEY, None if requests is None else requests.key)
        call.put(at.REQUEST_TIME, None if requests is None else requests.time)
        call.put(at.EVENT_VALUES, np.array([address_of(column) for column in events.values] or [0], np.int64))

    def _run(self, start: int, stop: int, requests: Requests | None) -> None:
        words = self._call.words
        words[at.STOP] = stop
        while start < stop:
            words[at.START] = start
            start = self._call.run("replay")
            if start == at.REFUSED_STALE:
                raise StateError(self._stale(int(words[at.AT])))
            if start < stop:
                self._grow_slab(2 * len(self._slab))

    def _stale(self, operation: int) -> str:
        return (
            f"operation {operation} asks for a time before events that were let go of: "
            "a state answers for its own place in the log; feed requests in log order"
        )

    def _grow_slab(self, words: int) -> None:
        grown = np.empty(words, np.int64)
        if len(self._slab):
            used = int(self._slab[1])
            grown[:used] = self._slab[:used]
        else:
            grown[:SLAB_HEADER] = 0
            grown[1] = SLAB_HEADER
        grown[0] = words
        self._slab = grown
        self._call.put(at.SLAB, grown)


def check_state(plan: Plan, state: Buffer) -> None:
    """Raise StateError unless the bytes are an undamaged exported state of this plan."""
    if len(state) < SMALLEST_SIZE_BYTES or len(state) % 8:
        raise StateError(f"a state of {len(state)} bytes is cut short; take it from its store again, or replay the log")
    words = np.frombuffer(state, np.int64)
    if words[layout.STATE_VERSION] != layout.VERSION:
        raise StateError("these bytes are not a state of this version; replay the log to make it anew")
    if words[layout.STATE_PLAN] != plan.id:
        raise StateError(_other_plan(int(words[layout.STATE_PLAN]), plan))
    said = 8 * int(words[layout.STATE_CAPACITY])
    if said != len(state):
        raise StateError(f"a state says it has {said} bytes, but {len(state)} are here; take it from its store again")
    copied = words.copy()
    copied[layout.STATE_CHECK] = 0
    if zlib.crc32(copied.data) != words[layout.STATE_CHECK]:
        raise StateError("a state is damaged: its checksum does not hold; replay the log to make it anew")


def refuse(code: int, plan: Plan, state: Buffer) -> None:
    """Raise the StateError that a return code stands for; nothing for a count or DONE."""
    if code == at.REFUSED_STATE:
        check_state(plan, state)
        raise StateError("a state is damaged: its parts do not fit together; replay the log to make it anew")
    if code == at.REFUSED_MERGE:
        raise StateError("the later state has let go of rows: fold it with States(plan, partial=True) to merge it")
    if code == at.REFUSED_STALE:
        raise StateError("the time asked for lies before events that this state has let go of; ask for a later time")
    if code == at.NEEDS_SLAB:
        raise StateError("the slab is too small for this state")


def _other_plan(seen: int, plan: Plan) -> str:
    return (
        f"a state was folded with plan {seen & (2**64 - 1):016x}, but this definition's plan is "
        f"{plan.id & (2**64 - 1):016x}; replay the log with the new definition"
    )


def merge(plan: Plan, earlier: Buffer, later: Buffer, *, partial: bool = False) -> bytes:
    """The state of two ranges of one log, one right after the other, from the states of each.

    earlier: an exported state; of the log's beginning, or `partial` like the later one.
    later:   an exported state, folded with `States(plan, partial=True)`.
    partial: the result will itself be the later side of a merge.

    Raises StateError for damaged bytes, another plan, or a later state that has let go of what a merge needs.
    """
    size = len(earlier) + len(later)
    states = States(plan, 1, partial=partial)
    states._reserve(8 * size)
    states.load(0, earlier)
    states.merge(0, later)
    return states.export(0)
