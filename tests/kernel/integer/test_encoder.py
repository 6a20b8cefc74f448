"""What is asked of an encoder that it cannot answer, and networks that cannot be run: the message names the fault."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from threading import Thread
from typing import Any

import numpy as np
import pytest

from unisono.kernel.integer.checking import NetworkError
from unisono.kernel.integer.encoder import Encoder
from unisono.kernel.integer.functions import Table
from unisono.kernel.integer.network import (
    Activation,
    Add,
    Attention,
    Embedding,
    Instruction,
    Linear,
    Network,
    Norm,
    Patches,
    Pool,
    Prepend,
    Requantise,
    Rescale,
    Scores,
)

from .networks import grown

WORDS = Embedding("words", np.ones((3, 4), np.int8), np.ones(3, np.int32), np.zeros((5, 4), np.int32))
PATCHES = Patches("patches", 2, 3)
SAME = Rescale(np.ones(4, np.int32), np.zeros(4, np.int32), 0, 255)


def _network(*instructions: Instruction) -> Network:
    return Network(instructions, 0, 1.0)


TEXTS = Encoder(_network(WORDS, Pool("mean", 0, "mean")))
IMAGES = Encoder(_network(PATCHES, Pool("mean", 0, "mean")))


@pytest.mark.parametrize(
    ("encoder", "given", "said"),
    [
        (TEXTS, [], "0 tokens; allowed: 1 to 5; shorten the text"),
        (TEXTS, [0] * 6, "6 tokens; allowed: 1 to 5"),
        (TEXTS, [0, 3], "token 1 of 2 has id 3; allowed: 0 to 2; use the tokenizer of this model"),
        (TEXTS, [-1], "token 0 of 1 has id -1"),
        (TEXTS, [2, 2**40], "token 1 of 2 has id"),
        (TEXTS, [0.5], "float64 [1]; allowed: whole numbers"),
        (TEXTS, [[0, 1]], "int64 [1, 2]; allowed: whole numbers, the token ids of one text"),
        (IMAGES, np.zeros((1, 3), int), "1 patches; allowed: 2"),
        (IMAGES, np.zeros((2, 4), int), "int64 [2, 4]; allowed: whole numbers, 2 x 3"),
        (IMAGES, np.full((2, 3), 256), "numbers from 256 to 256; allowed: 0 to 255"),
        (IMAGES, np.zeros((2, 3)), "float64 [2, 3]"),
    ],
)
def test_what_cannot_be_answered_is_refused(encoder: Encoder, given: Any, said: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(said)):
        encoder.answer(given)
    with pytest.raises(NetworkError, match=re.escape(said)):
        encoder.registers(given)


def test_positions_make_up_for_words_column_by_column() -> None:
    columns = np.array([[-5, 100], [3, 120]], np.int8)
    words = Embedding("words", columns, np.ones(2, np.int32), np.array([[5, -100]], np.int32))
    assert Encoder(_network(words)).answer([1]).tolist() == [[8, 20]]


def test_an_encoder_answers_after_a_refusal() -> None:
    with pytest.raises(NetworkError):
        TEXTS.answer([7])
    assert TEXTS.answer([0, 1]).tolist() == [[1, 1, 1, 1]]


def test_threads_share_an_encoder() -> None:
    asked = grown(11, layers=2)
    encoder = Encoder(asked.network)
    wanted = [encoder.answer(row).tolist() for row in asked.rows]
    differ: list[int] = []

    def ask(first: int) -> None:
        for turn in range(100):
            place = (first + turn) % len(wanted)
            if encoder.answer(asked.rows[place]).tolist() != wanted[place]:
                differ.append(place)

    threads = [Thread(target=ask, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert differ == []


def _linear(inputs: int, outputs: int) -> Linear:
    return Linear("l", 0, np.ones((inputs, outputs), np.int8), SAME)


def _scores(weight: int) -> Scores:
    return Scores("s", 0, np.full((4, 2), weight, np.int8), np.zeros(2, np.int32))


def _attention(heads: int, table: Table) -> Attention:
    return Attention("a", 1, 1, 1, heads, table)


KEY = Requantise("key", 0, replace(SAME, top=126))
ONES, ZEROS = Table(np.ones(4, np.uint8)), Table(np.zeros(4, np.uint8))
FAULTS: dict[str, tuple[Callable[[], Network], str]] = {
    "nothing": (lambda: _network(), "a network of no instructions"),
    "no stem": (lambda: _network(Pool("p", 0, "mean")), "Pool 'p': is in the wrong place"),
    "two stems": (lambda: _network(WORDS, PATCHES), "Patches 'patches': is in the wrong place"),
    "a later register": (lambda: _network(WORDS, Pool("p", 1, "mean")), "Pool 'p': given is register 1; there are 1"),
    "a negative register": (lambda: _network(WORDS, Pool("p", -1, "mean")), "given is register -1"),
    "below 0": (
        lambda: _network(replace(WORDS, words=-WORDS.words)),
        "numbers from -1 to -1; allowed: 0 to 2147483647",
    ),
    "words of 16 bits": (lambda: _network(replace(WORDS, words=WORDS.words.astype(np.int16))), "words are int16"),
    "a large weight": (lambda: _network(WORDS, _scores(64)), "weights to 64; allowed: 63"),
    "the least weight": (lambda: _network(WORDS, _scores(-128)), "weights to 128"),
    "weights of another width": (lambda: _network(WORDS, _linear(3, 4)), "weights are int8 [3, 4], not int8 [4, 4]"),
    "more than bytes": (
        lambda: _network(replace(WORDS, positions=np.full((5, 4), 300, np.int32)), _linear(4, 4)),
        "Linear 'l': given has numbers to 301; allowed: 255",
    ),
    "scores read": (lambda: _network(WORDS, _scores(1), Pool("p", 1, "mean")), "given has numbers to any size"),
    "too few multipliers": (
        lambda: _network(WORDS, Requantise("r", 0, replace(SAME, multiplier=np.ones(3, np.int32)))),
        "multipliers are int32 [3], not int32 [4]",
    ),
    "a large shift": (lambda: _network(WORDS, Requantise("r", 0, replace(SAME, shift=24))), "shift 24 to a top of 255"),
    "a negative top": (lambda: _network(WORDS, Requantise("r", 0, replace(SAME, top=-1))), "top -1; allowed"),
    "a short table": (
        lambda: _network(WORDS, Activation("a", 0, Table(np.zeros(1, np.uint8)))),
        "a table of 1 for numbers to 1",
    ),
    "keys of 8 bits": (lambda: _network(WORDS, Requantise("r", 0, SAME), _attention(2, ONES)), "key has numbers"),
    "heads that do not divide": (lambda: _network(WORDS, KEY, _attention(3, ONES)), "3 heads for a width of 4"),
    "a weight of 0": (lambda: _network(WORDS, KEY, _attention(2, ZEROS)), "exponential(0) is 0"),
    "no epsilon": (lambda: _network(WORDS, Norm("n", 0, 0, SAME)), "epsilon 0; allowed: 1 to"),
    "rows of other numbers": (lambda: _network(WORDS, Pool("p", 0, "mean"), Add("a", 0, 1, 0, 255)), "or other rows"),
    "an unclipped sum with a zero": (lambda: _network(WORDS, Add("a", 0, 0, 1, None)), "zero 1, numbers to 2"),
    "a row before words": (
        lambda: _network(WORDS, Prepend("p", 0, np.zeros(4, np.int32), np.zeros((6, 4), np.int32), 255)),
        "6 positions; allowed: one more than there are patches",
    ),
    "too few positions": (
        lambda: _network(PATCHES, Prepend("p", 0, np.zeros(3, np.int32), np.zeros((2, 3), np.int32), 255)),
        "2 positions; allowed: one more",
    ),
    "another pool": (
        lambda: _network(WORDS, Pool("p", 0, "last")),  # type: ignore[arg-type]
        "kind 'last'; allowed: first, mean",
    ),
    "a scale of 0": (lambda: replace(_network(WORDS), scale=0.0), "scale 0.0; allowed"),
}


@pytest.mark.parametrize(("make", "said"), FAULTS.values(), ids=FAULTS)
def test_a_network_that_cannot_be_run_is_refused(make: Callable[[], Network], said: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(said)):
        Encoder(make())
