"""A packed network is one piece that runs anywhere, in little memory; what is not one is refused, never run."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings

from tests.kernel.machines import ThisProcess
from unisono.kernel import exports
from unisono.kernel.integer import form as at
from unisono.kernel.integer.checking import NetworkError
from unisono.kernel.integer.encoder import Encoder
from unisono.kernel.integer.functions import Table
from unisono.kernel.integer.network import Activation, Attention, Embedding, Instruction, Linear, Network, Pool, Rescale
from unisono.kernel.integer.packing import packed
from unisono.kernel.integer.unpacking import unpacked

from .calls import placed
from .networks import Asked, Kind, grown, networks

KINDS: tuple[Kind, ...] = ("text", "vision")


def _as_tables(network: Network) -> Network:
    """The same network, with functions as unpacking gives them."""
    made = [
        replace(one, function=Table(one.function.table()))
        if isinstance(one, Activation)
        else replace(one, exponential=Table(one.exponential.table()))
        if isinstance(one, Attention)
        else one
        for one in network.instructions
    ]
    return replace(network, instructions=tuple(made))


@settings(deadline=None, max_examples=40)
@given(networks())
def test_unpacking_gives_back_what_was_packed(asked: Asked) -> None:
    found, wanted = unpacked(packed(asked.network)), _as_tables(asked.network)
    assert str(found) == str(wanted)
    for one, other in zip(found.arrays(), wanted.arrays(), strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    assert packed(found) == packed(asked.network)


def test_a_packed_network_answers_wherever_it_lies() -> None:
    asked = grown(5, layers=2)
    blob = packed(asked.network)
    shifted = memoryview(b"?" + blob)[1:]
    for row in asked.rows:
        assert np.array_equal(Encoder.opened(shifted).answer(row), Encoder(asked.network).answer(row))


def test_weights_stay_in_eight_bits() -> None:
    network = grown(3, layers=2).network
    words = 8 * (at.HEADER_WORDS + at.RECORD_WORDS * len(network.instructions))
    functions = [one.function for one in network.instructions if isinstance(one, Activation)]
    functions += [one.exponential for one in network.instructions if isinstance(one, Attention)]
    sizes = [array.nbytes for array in (*network.arrays(), *(each.table() for each in functions))]
    weights = [array for array in network.arrays() if array.dtype == np.int8 and array.ndim == 2]
    filled = sum((one.shape[0] + 15) * (one.shape[1] + 3) - one.size for one in weights)
    assert len(packed(network)) < words + sum(sizes) + filled + 64 * len(sizes) + 32 * len(network.instructions)


@pytest.mark.parametrize("kind", KINDS)
def test_every_truncation_is_refused(kind: Kind) -> None:
    blob = packed(grown(1, kind, layers=1).network)
    for size in range(0, len(blob), 7):
        with pytest.raises(NetworkError):
            unpacked(blob[:size])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bits_are_refused_or_answered(kind: Kind) -> None:
    """What is answered may be another network, such as one with another weight; it stays within its memory."""
    asked = grown(2, kind, layers=1)
    blob, chance = packed(asked.network), Random(4)
    words = 8 * (at.HEADER_WORDS + at.RECORD_WORDS * len(asked.network.instructions))
    refused = answered = 0
    for turn in range(600):
        changed = bytearray(blob)
        place = chance.randrange(8 * (words if turn % 2 else len(blob)))
        changed[place // 8] ^= 1 << place % 8
        try:
            encoder = Encoder.opened(bytes(changed))
            if encoder.network.most_tokens == asked.network.most_tokens:
                encoder.answer(asked.rows[-1])
            answered += 1
        except NetworkError:
            refused += 1
    assert refused > 100
    assert answered > 50


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (8 * at.NETWORK_VERSION, 0, "another version, or none"),
        (8 * at.NETWORK_BYTES, 1, "cut off, or added to"),
        (8 * at.INSTRUCTIONS, 0, "0 instructions; allowed: 1 to"),
        (8 * at.NAMES_AT, 1 << 40, "names at"),
        (8 * (at.HEADER_WORDS + at.OPERATION), 99, "operation 99; allowed: 0 to 10"),
        (8 * (at.HEADER_WORDS + at.RECORD_WORDS + at.GIVEN), 1, "register 1; there are 1 before it"),
        (8 * (at.HEADER_WORDS + at.RECORD_WORDS + at.SECOND_AT), 1 << 50, "an array"),
        (8 * (at.HEADER_WORDS + at.RECORD_WORDS + at.PLACE), 1 << 20, "not those that packing gives"),
    ],
)
def test_what_is_wrong_with_a_packed_network_is_said(place: int, value: int, said: str) -> None:
    changed = bytearray(packed(grown(1, layers=1).network))
    changed[place : place + 8] = value.to_bytes(8, "little")
    with pytest.raises(NetworkError, match=re.escape(said)):
        unpacked(bytes(changed))


def test_the_kernel_refuses_what_is_no_network_or_has_too_little_memory() -> None:
    asked = grown(1, layers=1)
    runs, row = ThisProcess(exports.EXPORTS), asked.rows[-1]
    needed = Encoder(asked.network).workspace_bytes(len(row))
    enough, short = (placed(asked.network, row, room=room) for room in (needed, needed - 1))
    assert runs.call("answer_network", enough.image, enough.call)[0] == at.DONE
    assert runs.call("answer_network", short.image, short.call)[0] == at.NEEDS_WORKSPACE
    enough.image.content[0] ^= 1
    assert runs.call("answer_network", enough.image, enough.call)[0] == at.REFUSED_NETWORK


def test_memory_grows_with_the_tokens_and_not_with_their_square() -> None:
    encoder = Encoder(grown(8, layers=2).network)
    few, more, most = (encoder.workspace_bytes(16 * tokens) for tokens in (1, 2, 100))
    assert most - few == 99 * (more - few)


def test_registers_that_are_not_needed_at_once_share_memory() -> None:
    vectors = Embedding("words", np.ones((3, 40), np.int8), np.ones(3, np.int32), np.zeros((5, 40), np.int32))
    same = Rescale(np.ones(40, np.int32), np.zeros(40, np.int32), 0, 255)
    products = [Linear(f"{place}", place, np.zeros((40, 40), np.int8), same) for place in range(12)]
    few, many = (Encoder(Network((vectors, *products[:count]), 0, 1.0)).workspace_bytes(5) for count in (2, 12))
    assert few == many


def test_rows_that_nothing_reads_are_not_made() -> None:
    """A classifier by its first token: the last attention is asked by one query, and sees every key."""
    drawn = (grown(seed, layers=2) for seed in range(40))
    asked = next(one for one in drawn if any(_pools_first(each) for each in one.network.instructions))
    found = Encoder(asked.network).registers(asked.rows[-1])
    attentions = [one for one in asked.network.instructions if isinstance(one, Attention)]
    last, before = (asked.network.instructions.index(one) for one in (attentions[-1], attentions[0]))
    assert [len(found[place]) for place in (before, attentions[-1].key, last)] == [len(asked.rows[-1])] * 2 + [1]


def _pools_first(one: Instruction) -> bool:
    return isinstance(one, Pool) and one.kind == "first"
