"""Causal attention in whole numbers: reference, whole sequence and event by event have the same bits."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from unisono.compress.attention import integers_reference
from unisono.compress.attention.integers import (
    FEATURE_TOP,
    INT32_TOP,
    INT64_TOP,
    MEAN_BITS,
    TOP,
    IntegerAttention,
    IntegerRecurrence,
    Ints,
    Linear,
)
from unisono.compress.attention.integers_making import integer_attention_of
from unisono.compress.attention.layers import Mixing
from unisono.compress.attention.state import Layout
from unisono.compress.attention.step import LinearAttention
from unisono.compress.attention.swapping import replacement
from unisono.spec.errors import InputError, ModelError, StateError

CAUSAL = LinearAttention(causal=True)


def float_layer(width: int = 8, heads: int = 2, seed: int = 0, *, step: LinearAttention = CAUSAL) -> Mixing:
    torch.manual_seed(seed)
    return replacement(nn.MultiheadAttention(width, heads, batch_first=True), step, 1).eval()


def layer(width: int = 8, heads: int = 2, seed: int = 0) -> IntegerAttention:
    events = np.random.default_rng(seed).normal(size=(200, width))
    return integer_attention_of(float_layer(width, heads, seed), events)


def sequence(own: IntegerAttention, events: int, random: np.random.Generator) -> Ints:
    return random.integers(-TOP, TOP + 1, (events, own.width))


def one_by_one(own: IntegerAttention, events: Ints) -> tuple[bytes, Ints]:
    """The state after some events, and the answers."""
    recurrence = IntegerRecurrence(own)
    state, answers = recurrence.begin(), []
    for event in events:
        state, answer = recurrence.step(state, event)
        answers.append(answer)
    return state, np.array(answers)


@pytest.mark.slow
def test_event_by_event_has_the_bits_of_the_whole_on_a_thousand_sequences() -> None:
    random = np.random.default_rng(0)
    layers = [layer(width, heads, seed) for seed, (width, heads) in enumerate([(4, 1), (8, 2), (12, 3), (16, 2)])]
    tried = 0
    for number in range(1000):
        own = layers[number % len(layers)]
        events = sequence(own, int(random.integers(1, 16)), random)
        np.testing.assert_array_equal(one_by_one(own, events)[1], own.over_all(events))
        tried += 1
    assert tried == 1000


@pytest.mark.parametrize("count", [63, 64, 65, 200])
def test_sequences_longer_than_a_chunk_have_the_same_bits(count: int) -> None:
    own = layer()
    events = sequence(own, count, np.random.default_rng(count))
    np.testing.assert_array_equal(one_by_one(own, events)[1], own.over_all(events))


def test_the_reference_says_the_same() -> None:
    random = np.random.default_rng(1)
    for seed in range(10):
        own = layer(seed=seed)
        events = sequence(own, 12, random)
        assert integers_reference.answers(own, events.tolist()) == own.over_all(events).tolist()


def extreme(values: Any, multiplier: int, shift: int) -> Linear:
    return Linear(
        np.array(values, np.int64).reshape(4, 4), np.zeros(4, np.int64), np.full(4, multiplier, np.int64), shift
    )


SIGNS = st.lists(st.sampled_from([-TOP, -1, 0, 1, TOP]), min_size=16, max_size=16)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    weights=st.lists(SIGNS, min_size=4, max_size=4),
    multiplier=st.sampled_from([0, 1, 2**20, INT32_TOP]),
    shift=st.integers(1, 62),
    features=st.sampled_from([1, FEATURE_TOP]),
    events=st.lists(st.lists(st.sampled_from([-TOP, 0, TOP]), min_size=4, max_size=4), min_size=1, max_size=5),
)
def test_numbers_at_their_bounds_do_not_overflow(
    weights: Any, multiplier: int, shift: int, features: int, events: Any
) -> None:
    query, key, value, out = (extreme(one, multiplier, shift) for one in weights)
    table = np.full(2 * TOP + 1, features, np.int64)
    own = IntegerAttention(query, key, value, out, table, table, heads=2, event_scale=1.0, answer_scale=1.0)
    expected = integers_reference.answers(own, events)
    assert own.over_all(np.array(events)).tolist() == expected
    assert one_by_one(own, np.array(events))[1].tolist() == expected


def test_the_last_event_that_can_be_summed_does_not_overflow_and_the_next_is_refused() -> None:
    own = layer(4, 1)
    table = np.full(2 * TOP + 1, FEATURE_TOP, np.int64)
    own = replace(own, query_features=table, key_features=table)
    recurrence = IntegerRecurrence(own)
    before = own.most_events - 1
    sums = np.full((1, 4, 5), before * FEATURE_TOP * TOP, np.int64)
    sums[..., -1] = before * FEATURE_TOP
    state, _ = recurrence.step(full(recurrence, before, sums), np.zeros(4, np.int64))
    denominator = own.size * FEATURE_TOP**2 * own.most_events
    assert (TOP * denominator << (MEAN_BITS + 1)) + denominator <= INT64_TOP
    with pytest.raises(StateError, match=rf"{own.most_events:,} events; allowed: fewer"):
        recurrence.step(state, np.zeros(4, np.int64))


def full(recurrence: IntegerRecurrence, events: int, sums: Ints) -> bytes:
    layout: Layout = recurrence._layout
    return layout.write(events, [sums])


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("query", {"multiplier": np.full(8, 1 << 31)}),
        ("key", {"shift": 63}),
        ("value", {"bias": np.full(8, 1 << 31)}),
        ("out", {"weights": np.full((8, 8), 1 << 16)}),
    ],
)
def test_what_could_overflow_is_refused_when_it_is_made_with_its_name(part: str, change: Any) -> None:
    own = layer()
    with pytest.raises(ModelError, match=rf"integer attention: {part}: .*so that nothing overflows"):
        replace(own, **{part: replace(getattr(own, part), **change)})


def test_answers_are_near_those_in_float() -> None:
    flat = float_layer(32, 4)
    events = np.random.default_rng(3).normal(size=(500, 32)).astype(np.float32)
    own = integer_attention_of(flat, events)
    said = own.over_all(own.quantised(events)) * own.answer_scale
    with torch.inference_mode():
        wanted = flat.mixed(torch.from_numpy(events[None]))[0].numpy()
    cosines = (said * wanted).sum(1) / np.linalg.norm(said, axis=1) / np.linalg.norm(wanted, axis=1)
    assert cosines.mean() > 0.995


def test_a_state_that_is_saved_goes_on_in_another_process_with_the_same_bytes(tmp_path: Path) -> None:
    own = layer()
    events = sequence(own, 40, np.random.default_rng(5))
    state, _ = one_by_one(own, events[:25])
    (tmp_path / "layer").write_bytes(own.to_bytes())
    (tmp_path / "state").write_bytes(state)
    np.save(tmp_path / "events.npy", events[25:])
    subprocess.run([sys.executable, "-c", _CONTINUE, str(tmp_path)], check=True)
    assert (tmp_path / "after").read_bytes() == one_by_one(own, events)[0]


_CONTINUE = """
import sys
from pathlib import Path
import numpy as np
from unisono.compress.attention.integers import IntegerAttention, IntegerRecurrence
folder = Path(sys.argv[1])
recurrence = IntegerRecurrence(IntegerAttention.from_bytes((folder / "layer").read_bytes()))
state = (folder / "state").read_bytes()
for event in np.load(folder / "events.npy"):
    state, _ = recurrence.step(state, event)
(folder / "after").write_bytes(state)
"""


def test_a_state_has_one_size_and_says_what_it_is() -> None:
    own = layer()
    states = [one_by_one(own, sequence(own, count, np.random.default_rng(0)))[0] for count in (1, 20)]
    assert len({len(one) for one in states}) == 1
    assert states[0][:6] == b"UATT\x01\x00"


def test_bytes_that_are_no_state_of_a_layer_are_refused() -> None:
    own = layer()
    recurrence = IntegerRecurrence(own)
    state, event = recurrence.begin(), np.zeros(8, np.int64)
    with pytest.raises(StateError, match=f"allowed: {len(state)}"):
        recurrence.step(state[:-1], event)
    with pytest.raises(StateError, match="other bytes than were written"):
        recurrence.step(state[:50] + b"\x01" + state[51:], event)
    with pytest.raises(StateError, match="a state of another network"):
        IntegerRecurrence(layer(seed=1)).step(state, event)


def test_events_that_do_not_fit_are_refused() -> None:
    own = layer()
    recurrence = IntegerRecurrence(own)
    for wrong, said in (
        (np.zeros(7, np.int64), r"shape \[1, 7\]"),
        (np.zeros(8), "float64"),
        (np.full(8, 128), "numbers from 128 to 128; allowed: -127 to 127"),
    ):
        with pytest.raises(InputError, match=said):
            recurrence.step(recurrence.begin(), wrong)


def test_only_what_can_be_made_whole_is() -> None:
    events = np.ones((3, 8))
    with pytest.raises(ModelError, match="a LocalGlobal; allowed: a causal layer of the kind elu"):
        integer_attention_of(float_layer(step=LinearAttention(kind="local_global", causal=True)), events)
    with pytest.raises(InputError, match="NaN or infinite; allowed"):
        integer_attention_of(float_layer(), np.full((3, 8), np.nan))
    with pytest.raises(InputError, match=r"shape \[3, 7\]; allowed: finite numbers, events x 8"):
        integer_attention_of(float_layer(), np.ones((3, 7)))


def test_a_layer_is_the_same_after_it_was_written_down_and_other_bytes_are_refused() -> None:
    own = layer()
    content = own.to_bytes()
    assert IntegerAttention.from_bytes(content).to_bytes() == content
    with pytest.raises(StateError, match="as `to_bytes` writes it"):
        IntegerAttention.from_bytes(content[:-3])
