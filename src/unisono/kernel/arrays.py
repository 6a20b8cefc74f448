"""Work on whole arrays that the kernel does for its callers: putting operations in order, hashing string ids."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from unisono.kernel import descriptor as at
from unisono.kernel.call import Call
from unisono.kernel.engine import Int32s, Int64s


class Ordered(NamedTuple):
    """Operations sorted by key.

    order:  int32 an operation, as `States.replay` takes it.
    begins: int32, one more than there are slots: where each key's operations begin, and where the last one's end.
    """

    order: Int32s
    begins: Int32s


def order_by_key(
    event_key: Int32s, event_ingest: Int64s, request_key: Int32s, request_time: Int64s, slots: int
) -> Ordered:
    """Events (in log order) and requests (sorted by time) sorted by key, each key's in log order.

    Of equal times events come first. Events after the last request of their key are left out: nobody asks for them.
    """
    call = Call()
    order = np.empty(len(event_key) + len(request_key), np.int32)
    begins = np.zeros(slots + 1, np.int32)
    call.words[at.COUNT] = len(event_key)
    call.words[at.REQUESTS] = len(request_key)
    call.words[at.KEYS] = slots
    call.put(at.EVENT_KEY, event_key)
    call.put(at.EVENT_INGEST, event_ingest)
    call.put(at.REQUEST_KEY, request_key)
    call.put(at.REQUEST_TIME, request_time)
    call.put(at.PLACES, begins)
    call.put(at.CURSORS, np.zeros(slots + 1, np.int32))
    call.put(at.RESULT, order)
    total = call.run("order_by_key")
    return Ordered(order[:total], begins)


def hash_strings(offsets: Int64s, data: npt.NDArray[np.uint8]) -> Int64s:
    """A stable int64 for each string: string i is data[offsets[i]:offsets[i + 1]]. SipHash-2-4; never NO_ID."""
    call = Call()
    hashed = np.empty(max(len(offsets) - 1, 0), np.int64)
    call.words[at.COUNT] = len(hashed)
    call.put(at.OFFSETS, offsets)
    call.put(at.DATA, data)
    call.put(at.RESULT, hashed)
    call.run("hash_strings")
    return hashed
