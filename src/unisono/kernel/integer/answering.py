"""Runs a packed network: the kernel's export."""

from __future__ import annotations

from unisono.kernel.integer.attending import attention
from unisono.kernel.integer.cells import cell_of, most_rows, number, record, row_at, row_count, whole_blocks
from unisono.kernel.integer.form import (
    ACTIVATION,
    ADD,
    ASKED,
    ATTENTION,
    DONE,
    EMBEDDING,
    FAULTY,
    INSTRUCTIONS,
    LEAST_TOKENS,
    LINEAR,
    MOST_TOKENS,
    NEEDS_WORKSPACE,
    NETWORK,
    NETWORK_VERSION,
    NORM,
    NUMBER,
    OPERATION,
    OUT,
    PATCHES,
    POOL,
    PREPEND,
    REFUSED_ID,
    REFUSED_NETWORK,
    REFUSED_TOKENS,
    REQUANTISE,
    ROW_BYTES,
    SCORES,
    SCRATCH_BYTES,
    SCRATCH_ROW_BYTES,
    START,
    STOP,
    TOKENS,
    VERSION,
    WIDTH,
    WORKSPACE_BYTES,
)
from unisono.kernel.integer.linear import linear, scores
from unisono.kernel.integer.rowwise import activate, add, embed, norm, pool, prepend, requantise, take_patches
from unisono.kernel.words import load, load_int32, store, store_int32


def answer_network(call: int) -> int:
    """Run instructions START to STOP of a network over what was asked, then put the last register at OUT.

    A call may run some of them and the next call the others, as long as nothing else is put into the workspace: a
    device can do something else in between.
    """
    refused = refusal(call)
    if refused != DONE:
        return refused
    count = load(load(call, NETWORK), INSTRUCTIONS)
    stop = load(call, STOP) if load(call, STOP) >= 0 else count
    for index in range(max(load(call, START), 0), min(stop, count)):
        run(call, record(call, index))
    if stop >= count and load(call, OUT) != 0:
        put_answer(call, record(call, count - 1))
    return DONE


def refusal(call: int) -> int:
    """DONE, or why it cannot be run. That a network is sound, its host has seen to."""
    network = load(call, NETWORK)
    if load(network, NETWORK_VERSION) != VERSION:
        return REFUSED_NETWORK
    if not load(network, LEAST_TOKENS) <= load(call, TOKENS) <= load(network, MOST_TOKENS):
        return REFUSED_TOKENS
    if load(call, WORKSPACE_BYTES) < workspace_bytes(call):
        return NEEDS_WORKSPACE
    first = record(call, 0)
    if load(first, OPERATION) == EMBEDDING:
        for place in range(load(call, TOKENS)):
            if not 0 <= load_int32(load(call, ASKED), place) < load(first, NUMBER):
                store(call, FAULTY, place)
                return REFUSED_ID
    return DONE


def workspace_bytes(call: int) -> int:
    """How large a workspace must be."""
    network = load(call, NETWORK)
    rows = most_rows(call)
    scratch = whole_blocks(rows) * load(network, SCRATCH_ROW_BYTES) + load(network, SCRATCH_BYTES)
    return rows * load(network, ROW_BYTES) + scratch


def run(call: int, one: int) -> None:
    """One instruction."""
    operation = load(one, OPERATION)
    if operation == LINEAR:
        linear(call, one)
    elif operation == ATTENTION:
        attention(call, one)
    elif operation == NORM:
        norm(call, one)
    elif operation == REQUANTISE:
        requantise(call, one)
    elif operation == ACTIVATION:
        activate(call, one)
    elif operation == ADD:
        add(call, one)
    elif operation == EMBEDDING:
        embed(call, one)
    elif operation == PATCHES:
        take_patches(call, one)
    elif operation == PREPEND:
        prepend(call, one)
    elif operation == POOL:
        pool(call, one)
    elif operation == SCORES:
        scores(call, one)


def put_answer(call: int, last: int) -> None:
    """The last register as int32s, row after row."""
    width = load(last, WIDTH)
    out = load(call, OUT)
    for row in range(row_count(call, last)):
        source = row_at(call, last, row)
        for column in range(width):
            store_int32(out, row * width + column, number(cell_of(last), source, column))
