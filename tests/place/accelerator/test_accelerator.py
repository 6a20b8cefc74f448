"""The model of an accelerator: its cycles are those of the simulated design, and its sums are what they say."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unisono.kernel.integer.units import swifttron
from unisono.place.accelerator import (
    ARITHMETICS,
    Array,
    Cost,
    Encoder,
    Linear,
    Local,
    LowRank,
    Memory,
    Softmax,
    cost,
)
from unisono.place.accelerator.array import ROOT_CYCLES
from unisono.place.accelerator.steps import Product, Rowwise
from unisono.spec.errors import DefinitionError

VECTORS = Path(__file__).parents[2] / "kernel" / "integer" / "vectors"
MINILM = Encoder(layers=6, width=384, heads=12, inner=1536, tokens=128)
ATTENTIONS = (Softmax(), Linear(), Linear(features=96, projected=True), LowRank(rank=32), Local(block=16, shared=4))


def simulated(unit: str) -> list[tuple[list[int], int]]:
    """What the published unit was given, and the cycles it took."""
    document = json.loads(gzip.decompress((VECTORS / f"swifttron_{unit}.json.gz").read_bytes()))
    return [(given, found[-1]) for given, found in document["rows"]]


def unpipelined(found: Cost) -> float:
    return sum(one.cycles.high for one in found.steps)


@pytest.mark.parametrize(("unit", "registers"), [("array", 0), ("array_registered", 2)])
def test_a_tile_takes_the_cycles_that_the_published_array_took(unit: str, registers: int) -> None:
    array = Array(rows=32, columns=8, registers=registers)
    assert all(array.tile_cycles(row[0]) == cycles for row, cycles in simulated(unit))


def test_a_softmax_takes_the_cycles_that_the_published_unit_took() -> None:
    for row, cycles in simulated("softmax"):
        bounds = Array().row_cycles(Rowwise("softmax", "softmax", 1, row[0]))
        assert bounds.low == bounds.high == cycles


def test_a_normalisation_takes_the_cycles_that_the_published_unit_took() -> None:
    """But where its variance has wrapped around: of a negative word the root stops early."""
    counted = [(row, cycles) for row, cycles in simulated("layer_norm") if swifttron.variance(row[2:], row[1]) > 0]
    assert len(counted) > 250
    for row, cycles in counted:
        bounds = Array().row_cycles(Rowwise("norm", "norm", 1, row[0]))
        assert bounds.low <= cycles <= bounds.high


def test_roots_of_positive_words_take_cycles_between_the_bounds() -> None:
    found = {cycles for row, cycles in simulated("square_root") if row[0] > 0}
    assert (min(found), max(found)) == (ROOT_CYCLES.low, ROOT_CYCLES.high)


@pytest.mark.parametrize(
    ("encoder", "parameters"),
    [
        (MINILM, 6 * (4 * 384 * 384 + 2 * 384 * 1536)),
        (Encoder(layers=12, width=768, heads=12, inner=3072, tokens=256), 84_934_656),
        (
            Encoder(layers=12, width=192, heads=3, inner=768, tokens=197, patch=768, outputs=1000),
            5_308_416 + 768 * 192 + 192 * 1000,
        ),
    ],
)
def test_weights_are_those_of_well_known_encoders(encoder: Encoder, parameters: int) -> None:
    assert encoder.parameters == parameters


def test_multiplications_are_those_of_the_textbook() -> None:
    tokens, width, inner = 128, 384, 1536
    layer = 4 * tokens * width**2 + 2 * tokens**2 * width + 2 * tokens * width * inner
    assert cost(MINILM).multiplications == 6 * layer


def test_linear_attention_grows_with_the_length_and_softmax_with_its_square() -> None:
    def attention_multiplications(encoder: Encoder) -> int:
        return sum(one.multiplications for _, one in encoder.steps() if isinstance(one, Product) and not one.learnt)

    for attention, factor in ((Softmax(), 4), (Linear(), 2), (LowRank(rank=32), 2)):
        short, long = (
            attention_multiplications(replace(MINILM, attention=attention, tokens=tokens)) for tokens in (512, 1024)
        )
        assert long == factor * short


def test_each_arithmetic_takes_less_energy_than_the_one_before() -> None:
    found = [cost(MINILM, arithmetic=ARITHMETICS[name]).energy_mj.all for name in ("fp32", "int8", "integer")]
    assert found[0].low > found[1].low > found[2].low
    assert found[0].high > found[1].high > found[2].high


def test_weights_on_the_chip_are_not_fetched() -> None:
    kept = cost(MINILM, memory=Memory(holds_weights=True))
    fetched = cost(MINILM)
    assert fetched.outside_bytes.low - kept.outside_bytes.low == MINILM.parameters
    assert kept.energy_mj.outside.high < fetched.energy_mj.outside.low


def test_a_row_of_tokens_that_is_too_long_for_the_buffer_goes_outside() -> None:
    long = replace(MINILM, tokens=4096)
    small, large = (cost(long, memory=Memory(buffer_bytes=size)) for size in (1 << 20, 1 << 30))
    assert small.outside_bytes.low > large.outside_bytes.low == large.outside_bytes.high


def test_the_array_is_full_where_products_fit_it_and_empty_where_they_do_not() -> None:
    array = Array(rows=32, columns=32)
    full = Product("full", 64, 4096, 64)
    thin = Product("thin", 1, 4096, 1)
    assert full.multiplications == array.clocked(full)
    assert array.clocked(thin) == 32 * 32 * thin.multiplications
    steps = {one.step.name: one for one in cost(replace(MINILM, outputs=2)).steps}
    assert steps["classes"].utilisation < 0.01 < 0.9 < steps["feed forward, out"].utilisation


encoders = st.builds(
    Encoder,
    layers=st.integers(1, 3),
    width=st.sampled_from([48, 96, 384]),
    heads=st.sampled_from([1, 3, 12]),
    inner=st.integers(1, 2000),
    tokens=st.integers(2, 3000),
    attention=st.sampled_from(ATTENTIONS),
    patch=st.sampled_from([0, 48]),
    outputs=st.integers(0, 10),
)
arrays = st.builds(Array, rows=st.integers(1, 128), columns=st.integers(1, 128), registers=st.sampled_from([0, 2]))


@given(encoders, arrays, st.sampled_from(list(ARITHMETICS)))
def test_whatever_the_encoder_low_ends_are_below_high_ones_and_the_array_never_does_more_than_it_can(
    encoder: Encoder, array: Array, name: str
) -> None:
    found = cost(encoder, array, ARITHMETICS[name])
    for bounds in (found.cycles, found.seconds, found.outside_bytes, found.energy_mj.all, found.utilisation):
        assert 0 < bounds.low <= bounds.high
    assert found.utilisation.high <= 1
    assert found.cycles.high == pytest.approx(unpipelined(found))
    assert all(
        array.clocked(one.step) >= one.step.multiplications for one in found.steps if isinstance(one.step, Product)
    )


def test_an_encoder_that_cannot_be_is_refused_with_all_of_its_faults() -> None:
    with pytest.raises(DefinitionError) as raised:
        Encoder(layers=0, width=384, heads=12, inner=1536, tokens=-1)
    assert len(raised.value.problems) == 2
    assert "layers: 0 (of type int); allowed: a whole number from 1 on" in str(raised.value)


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(DefinitionError, match="heads: 5 of a width of 384"):
        replace(MINILM, heads=5)


@pytest.mark.parametrize("bad", [{"rows": 0}, {"columns": -1}, {"clock_hz": float("nan")}, {"registers": "two"}])
def test_an_array_that_cannot_be_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(DefinitionError, match=next(iter(bad))):
        Array(**bad)  # type: ignore[arg-type]


def test_an_image_without_a_patch_is_refused() -> None:
    with pytest.raises(DefinitionError, match="tokens: 1 of an image"):
        replace(MINILM, patch=48, tokens=1)


@pytest.mark.parametrize(
    ("kind", "bad"),
    [(LowRank, {"rank": 0}), (Linear, {"features": 0}), (Local, {"block": 0}), (LowRank, {"rank": 1.5})],
)
def test_an_attention_that_cannot_be_is_refused(kind: type, bad: dict[str, object]) -> None:
    with pytest.raises(DefinitionError, match=f"{next(iter(bad))}: .*; allowed: a whole number from 1 on"):
        kind(**bad)


def test_memory_that_cannot_be_is_refused() -> None:
    with pytest.raises(DefinitionError, match="bytes_a_second"):
        Memory(bytes_a_second=0)
