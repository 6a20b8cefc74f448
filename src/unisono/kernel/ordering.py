"""Putting events and requests in order, key by key, so that one state can serve one key after the other."""

from __future__ import annotations

from unisono.kernel.descriptor import (
    COUNT,
    CURSORS,
    EVENT_INGEST,
    EVENT_KEY,
    KEYS,
    PLACES,
    REQUEST_KEY,
    REQUEST_TIME,
    REQUESTS,
    RESULT,
)
from unisono.kernel.words import load, load_int32, store_int32


def order_by_key(descriptor: int) -> int:
    """Sort events (in log order) and requests (sorted by time) by key, then log order; events first at equal times.

    Events after the last request of their key are left out. COUNT events, REQUESTS requests, KEYS slots. PLACES and
    CURSORS: int32, one more than slots, zeroed; afterwards PLACES says where each key begins and where the last ends.
    RESULT: int32, room for all. Returns how many operations there are. A counting sort: linear, two passes.
    """
    count_wanted(descriptor)
    total = begin_places(descriptor)
    put_operations(descriptor)
    return total


def count_wanted(descriptor: int) -> None:
    """Count, from the end of the log, the operations of each key up to its last request."""
    event = load(descriptor, COUNT) - 1
    ingest = load(descriptor, EVENT_INGEST)
    times = load(descriptor, REQUEST_TIME)
    requests = load(descriptor, REQUESTS)
    for step in range(requests):
        request = requests - 1 - step
        while event >= 0 and load(ingest, event) > load(times, request):
            count_event(descriptor, event)
            event -= 1
        key = load_int32(load(descriptor, REQUEST_KEY), request)
        places = load(descriptor, PLACES)
        store_int32(places, key + 1, load_int32(places, key + 1) + 1)
    while event >= 0:
        count_event(descriptor, event)
        event -= 1


def count_event(descriptor: int, event: int) -> None:
    """An event is wanted if a request of its key follows it."""
    places = load(descriptor, PLACES)
    key = load_int32(load(descriptor, EVENT_KEY), event)
    wanted = load_int32(places, key + 1)
    if wanted > 0:
        store_int32(places, key + 1, wanted + 1)


def begin_places(descriptor: int) -> int:
    """Turn counts into the place where each key begins; returns the number of operations."""
    places = load(descriptor, PLACES)
    total = 0
    for key in range(load(descriptor, KEYS)):
        store_int32(load(descriptor, CURSORS), key, total)
        total += load_int32(places, key + 1)
        store_int32(places, key + 1, total)
    return total


def put_operations(descriptor: int) -> None:
    """Put every wanted operation in its place, in log order."""
    events = load(descriptor, COUNT)
    ingest = load(descriptor, EVENT_INGEST)
    times = load(descriptor, REQUEST_TIME)
    event = 0
    for request in range(load(descriptor, REQUESTS)):
        while event < events and load(ingest, event) <= load(times, request):
            put(descriptor, load_int32(load(descriptor, EVENT_KEY), event), event)
            event += 1
        put(descriptor, load_int32(load(descriptor, REQUEST_KEY), request), ~request)


def put(descriptor: int, key: int, operation: int) -> None:
    """Put one operation at its key's next place, unless all that the key wants is there."""
    cursors = load(descriptor, CURSORS)
    place = load_int32(cursors, key)
    if place < load_int32(load(descriptor, PLACES), key + 1):
        store_int32(cursors, key, place + 1)
        store_int32(load(descriptor, RESULT), place, operation)
