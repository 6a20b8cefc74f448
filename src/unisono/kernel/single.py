"""One state at a time: read without changing it, bring it up to a time, pack it, take it in."""

from __future__ import annotations

from unisono.kernel.batch import is_stale
from unisono.kernel.cursor import move
from unisono.kernel.descriptor import (
    DONE,
    NEEDS_SCRATCH,
    NEEDS_SLAB,
    OUTPUT,
    OUTPUT_BYTES,
    PLAN,
    REFUSED_STALE,
    REFUSED_STATE,
    SCRATCH,
    SCRATCH_FRONT,
    SLAB,
    SLOT,
    SLOTS,
    STATE,
    TIME,
)
from unisono.kernel.emit import emit
from unisono.kernel.extremes import complete_blocks, settle_extremes
from unisono.kernel.layout import (
    COLUMN_NEEDS,
    FLAG_READ_ONLY,
    NEEDS_EXTREMES,
    PLAN_COLUMNS,
    PLAN_WINDOWS,
    STATE_BLOCKS_AT,
    STATE_CHECK,
    STATE_COUNT,
    STATE_FLAGS,
    STATE_ROWS_AT,
    STATE_TOMBSTONES,
    STATE_TOMBSTONES_AT,
    column_words,
    range_words,
    words_needed,
)
from unisono.kernel.slab import FULL, block_size, size_for, take_block
from unisono.kernel.soundness import is_state
from unisono.kernel.state import front_words, lay_out
from unisono.kernel.words import copy, load, store


def read(descriptor: int) -> int:
    """Evaluate the state at STATE at TIME into OUTPUT, leaving its bytes as they are.

    OUTPUT_BYTES says how many bytes the scratch memory has. Returns DONE, REFUSED_STATE, REFUSED_STALE, NEEDS_SCRATCH.
    """
    if not is_state(descriptor):
        return REFUSED_STATE
    plan = load(descriptor, PLAN)
    state = load(descriptor, STATE)
    time = load(descriptor, TIME)
    if is_stale(state, plan, time):
        return REFUSED_STALE
    front = load(state, STATE_ROWS_AT)
    if 8 * SCRATCH_FRONT + front > load(descriptor, OUTPUT_BYTES):
        return NEEDS_SCRATCH
    copied = load(descriptor, SCRATCH) + 8 * SCRATCH_FRONT
    copy(copied, state, front >> 3)
    moved = state - copied
    store(copied, STATE_FLAGS, load(state, STATE_FLAGS) | FLAG_READ_ONLY)
    store(copied, STATE_ROWS_AT, load(state, STATE_ROWS_AT) + moved)
    store(copied, STATE_BLOCKS_AT, load(state, STATE_BLOCKS_AT) + moved)
    store(copied, STATE_TOMBSTONES_AT, load(state, STATE_TOMBSTONES_AT) + moved)
    move(copied, plan, time)
    emit(descriptor, copied, plan, load(descriptor, OUTPUT))
    return DONE


def advance(descriptor: int) -> int:
    """Bring the state in SLOT up to TIME and find its extremes, so that reads soon after TIME have little to do."""
    block = load(load(descriptor, SLOTS), load(descriptor, SLOT))
    if block == 0:
        return DONE
    plan = load(descriptor, PLAN)
    state = load(descriptor, SLAB) + 8 * block
    move(state, plan, load(descriptor, TIME))
    complete_blocks(state, plan)
    for column in range(load(plan, PLAN_COLUMNS)):
        if load(column_words(plan, column), COLUMN_NEEDS) & NEEDS_EXTREMES != 0:
            for window in range(load(plan, PLAN_WINDOWS)):
                settle_extremes(state, plan, column, window)
    return DONE


def packed_bytes(descriptor: int) -> int:
    """How many bytes the state in SLOT takes when packed; 0 if there is none."""
    block = load(load(descriptor, SLOTS), load(descriptor, SLOT))
    if block == 0:
        return 0
    state = load(descriptor, SLAB) + 8 * block
    plan = load(descriptor, PLAN)
    return 8 * words_needed(plan, front_words(state), load(state, STATE_COUNT), load(state, STATE_TOMBSTONES))


def pack(descriptor: int) -> int:
    """Write the state in SLOT to OUTPUT, in as many bytes as `packed_bytes` says: the same state without spare room."""
    plan = load(descriptor, PLAN)
    state = load(descriptor, SLAB) + 8 * load(load(descriptor, SLOTS), load(descriptor, SLOT))
    words = packed_bytes(descriptor) >> 3
    ranges = range_words(state, plan, 0)
    target = load(descriptor, OUTPUT)
    lay_out(target, state, plan, words, load(state, STATE_COUNT), load(state, STATE_TOMBSTONES), 0, ranges)
    complete_blocks(target, plan)
    return DONE


def take_in(descriptor: int) -> int:
    """Copy the packed state at STATE into SLOT, which has none. DONE, REFUSED_STATE or NEEDS_SLAB."""
    if not is_state(descriptor):
        return REFUSED_STATE
    plan = load(descriptor, PLAN)
    slab = load(descriptor, SLAB)
    packed = load(descriptor, STATE)
    count = load(packed, STATE_COUNT)
    stones = load(packed, STATE_TOMBSTONES)
    stones += stones // 2
    size = size_for(words_needed(plan, front_words(packed), count + count // 8 + 2, stones))
    block = take_block(slab, size)
    if block == FULL:
        return NEEDS_SLAB
    state = slab + 8 * block
    lay_out(state, packed, plan, block_size(size), -1, stones, 0, range_words(packed, plan, 0))
    store(state, STATE_CHECK, 0)
    store(load(descriptor, SLOTS), load(descriptor, SLOT), block)
    return DONE
