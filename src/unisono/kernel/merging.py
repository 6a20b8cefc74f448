"""Merging the state of a range of the log with that of the range after it."""

from __future__ import annotations

from unisono.kernel.descriptor import DONE, NEEDS_SLAB, PLAN, REFUSED_MERGE, REFUSED_STATE, SLOT, STATE
from unisono.kernel.fold import fold_event, fold_retraction, state_of
from unisono.kernel.layout import (
    BEGINNING,
    NO_ID,
    PLAN_HAS_ALL,
    PLAN_HAS_IDS,
    PLAN_STRIDE,
    STATE_BASE_COUNT,
    STATE_COUNT,
    STATE_LOST,
    STATE_NOW,
    STATE_TOMBSTONES,
    TOMBSTONE_WORDS,
    rows_address,
)
from unisono.kernel.rows import tombstones_address
from unisono.kernel.slab import FULL
from unisono.kernel.soundness import is_state
from unisono.kernel.values import larger
from unisono.kernel.words import load, store


def merge(descriptor: int) -> int:
    """Fold the packed state at STATE, of the log's next range, into the state in SLOT.

    DONE, REFUSED_STATE, REFUSED_MERGE, or NEEDS_SLAB: then SLOT is half merged, and all begins again in a larger slab.
    """
    if not is_state(descriptor):
        return REFUSED_STATE
    later = load(descriptor, STATE)
    if load(load(descriptor, PLAN), PLAN_HAS_ALL) != 0 and load(later, STATE_BASE_COUNT) > 0:
        return REFUSED_MERGE
    if not (merge_tombstones(descriptor, later) and merge_rows(descriptor, later)):
        return NEEDS_SLAB
    state = state_of(descriptor, load(descriptor, SLOT))
    # Only now may the time go on: until here, rows had to stay that the later range can still match.
    store(state, STATE_NOW, larger(load(state, STATE_NOW), load(later, STATE_NOW)))
    store(state, STATE_LOST, larger(load(state, STATE_LOST), load(later, STATE_LOST)))
    return DONE


def merge_tombstones(descriptor: int, later: int) -> bool:
    """Retract what the later range retracts; False if the slab is full."""
    stones = tombstones_address(later)
    slot = load(descriptor, SLOT)
    for stone in range(load(later, STATE_TOMBSTONES)):
        time = load(stones, TOMBSTONE_WORDS * stone)
        identity = load(stones, TOMBSTONE_WORDS * stone + 1)
        if fold_retraction(descriptor, slot, time, identity, BEGINNING) == FULL:
            return False
    return True


def merge_rows(descriptor: int, later: int) -> bool:
    """Fold the later range's rows, in their order; False if the slab is full."""
    plan = load(descriptor, PLAN)
    rows = rows_address(later)
    stride = load(plan, PLAN_STRIDE)
    slot = load(descriptor, SLOT)
    if state_of(descriptor, slot) == FULL:
        return False
    for row in range(load(later, STATE_COUNT)):
        place = rows + 8 * stride * row
        compares = load(plan, PLAN_HAS_IDS) != 0 and load(place, 1) != NO_ID
        if fold_event(descriptor, slot, place, BEGINNING, compares) == FULL:
            return False
    return True
