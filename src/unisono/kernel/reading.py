"""Reading one exported state where it lies, without copying it or changing it: what an online request does."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from unisono.kernel import descriptor as at
from unisono.kernel.call import SCRATCH_WORDS, Call, Held
from unisono.kernel.engine import Answers, Buffer, Events, Requests, States, refuse
from unisono.kernel.plan import Plan


class Reader:
    """Evaluates exported states of one plan. Not to be shared between threads."""

    __slots__ = ("_call", "_empty", "_held", "_row", "_words", "plan")

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._call = Call(plan)
        self._words = self._call.words.data
        self._held = Held()
        self._row = np.empty(len(plan.outputs), np.float64)
        self._empty = _of_nothing(plan)
        self._call.put(at.OUTPUT, self._row)
        self._call.words[at.OUTPUT_BYTES] = 8 * SCRATCH_WORDS

    def read(self, state: Buffer, time: int) -> Answers:
        """One float64 an output at `time`; b"" is the state of a key that has had no events.

        Raises StateError if the bytes are not a state of this plan, or if `time` lies before what it has let go of.
        The array is the caller's. Cost: the rows between the state's time and `time`, a microsecond if they are few.
        """
        if len(state) == 0:
            return self._empty.copy()
        words = self._words
        words[at.STATE] = self._held.hold(state)
        words[at.STATE_BYTES] = len(state)
        words[at.TIME] = time
        code = self._call.run("read")
        if code == at.NEEDS_SCRATCH:
            self._grow(len(state))
            code = self._call.run("read")
        self._held.release()
        if code != at.DONE:
            refuse(code, self.plan, state)
        return self._row.copy()

    def _grow(self, state_bytes: int) -> None:
        scratch = np.empty(SCRATCH_WORDS + state_bytes // 8, np.int64)
        self._call.scratch = scratch
        self._call.put(at.SCRATCH, scratch)
        self._call.words[at.OUTPUT_BYTES] = scratch.nbytes


@lru_cache(maxsize=256)
def _of_nothing(plan: Plan) -> Answers:
    states = States(plan, 1)
    columns = [np.zeros(0, np.float64 if column.kind == "float" else np.int64) for column in plan.columns]
    nothing = np.zeros(0, np.int64)
    events = Events(nothing.astype(np.int32), nothing, nothing, columns, nothing if plan.has_ids else None)
    requests = Requests(np.zeros(1, np.int32), np.zeros(1, np.int64))
    answers: Answers = states.replay(events, requests, np.array([-1], np.int32))[0]
    return answers


@lru_cache(maxsize=64)
def _reader(plan: Plan) -> Reader:
    return Reader(plan)


def read(plan: Plan, state: Buffer, time: int) -> Answers:
    """One read with a reader that is kept for the plan; for one thread. See `Reader.read`."""
    return _reader(plan).read(state, time)
