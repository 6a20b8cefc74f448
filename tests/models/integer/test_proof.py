from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import isqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernel.integer.networks import Asked, networks
from unisono.kernel.integer.functions import Gelu, Polynomial, Table
from unisono.kernel.integer.network import (
    KEY_ZERO,
    NORM_BITS,
    QUERY_ZERO,
    Activation,
    Add,
    Attention,
    Instruction,
    Linear,
    Network,
    Norm,
    Patches,
    Pool,
    Requantise,
    Rescale,
    Scores,
)
from unisono.kernel.integer.reference import registers
from unisono.models.integer.graph import integer_graph
from unisono.models.integer.proof import proved
from unisono.spec.errors import ModelError

Matrix = Any


@given(networks())
@settings(max_examples=40)
def test_what_a_proof_passes_never_leaves_its_bounds(asked: Asked) -> None:
    proof = proved(asked.network)
    for row in asked.rows:
        found = [np.array(one, object) for one in registers(asked.network, row)]
        for place, (one, register) in enumerate(zip(asked.network.instructions, found, strict=True)):
            known = proof.instructions[place]
            assert len(register) <= known.rows
            assert (register >= known.register.low).all()
            assert (register <= known.register.high).all()
            for what, values in intermediates(one, found):
                bound = proof.bound(place, what)
                assert bound.low <= values.min(), (known.name, what)
                assert values.max() <= bound.high, (known.name, what)


def intermediates(one: Instruction, found: list[Matrix]) -> Iterator[tuple[str, Matrix]]:
    """What an instruction computes on the way, as the definition has it, in Python's numbers."""
    if isinstance(one, Linear | Scores):
        sums = found[one.given] @ one.weights.astype(object)
        yield "inner product", sums
        if isinstance(one, Linear):
            yield from rescaling(one.rescale, sums)
    elif isinstance(one, Requantise):
        yield from rescaling(one.rescale, found[one.given])
    elif isinstance(one, Norm):
        yield from normalising(one, found[one.given])
    elif isinstance(one, Add):
        yield "sum", found[one.left] + found[one.right]
    elif isinstance(one, Attention):
        yield from attending(one, found)
    elif isinstance(one, Pool) and one.kind == "mean":
        yield "sum of rows", found[one.given].sum(axis=0) + len(found[one.given]) // 2
    elif isinstance(one, Activation):
        yield "argument", found[one.given]


def rescaling(rescale: Rescale, given: Matrix) -> Iterator[tuple[str, Matrix]]:
    product = given * rescale.multiplier.astype(object)
    yield "times multiplier", product
    yield "plus offset", product + rescale.offset.astype(object)


def normalising(one: Norm, given: Matrix) -> Iterator[tuple[str, Matrix]]:
    width = given.shape[1]
    total = given.sum(axis=1, keepdims=True)
    yield "sum of the row", total + width // 2
    centred = given - (total + width // 2) // width
    yield "less the mean", centred
    squares = (centred * centred).sum(axis=1) + one.epsilon
    yield "sum of squares", squares
    roots = np.array([[isqrt(value)] for value in squares], object)
    yield "root", roots
    yield "over the root", centred * ((1 << NORM_BITS) // roots) + (1 << NORM_BITS)


def attending(one: Attention, found: list[Matrix]) -> Iterator[tuple[str, Matrix]]:
    size = found[one.query].shape[1] // one.heads
    for head in range(one.heads):
        part = slice(head * size, (head + 1) * size)
        scores = (found[one.query][:, part] - QUERY_ZERO) @ (found[one.key][:, part] - KEY_ZERO).T
        yield "score", scores
        gap = scores.max(axis=1, keepdims=True) - scores
        yield "largest score less a score", gap
        table = one.exponential.table().tolist()
        weights = np.array([[table[min(d, len(table) - 1)] for d in row] for row in gap.tolist()], object)
        yield "sum of weights", weights.sum(axis=1)
        yield "weighted values", weights @ (found[one.value][:, part] - KEY_ZERO)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_a_multiplier_is_refused_exactly_if_some_input_would_overflow(seed: int) -> None:
    """Every patch can be given, so the least and the most of each column are reached, not only bounded."""
    chance = np.random.default_rng(seed)
    weights = chance.integers(-63, 64, (4, 3)).astype(np.int8)
    top = 255 * np.maximum(np.abs(np.minimum(weights, 0).sum(axis=0)), np.maximum(weights, 0).sum(axis=0)).max()
    multiplier = chance.integers(1, max(2**32 // int(top + 1), 2), 3).astype(np.int32)
    offset = chance.integers(-(2**31), 2**31, 3).astype(np.int32)
    network = small(Linear("layer", 0, weights, Rescale(multiplier, offset, 3, 255)))
    ends = [np.where(weights.T > 0, 255, 0), np.where(weights.T < 0, 255, 0)]
    reached = [
        int(row @ weights[:, column].astype(int)) * int(multiplier[column]) + step * int(offset[column])
        for rows in ends
        for column, row in enumerate(rows.tolist())
        for step in (0, 1)
    ]
    assert refused(network) == (min(reached) < -(2**31) or max(reached) >= 2**31)


def test_the_most_that_a_norm_holds_is_reached_by_a_power_of_two() -> None:
    """Of 0, 1, 0 the mean is 0 and the root of squares and epsilon is 1."""
    found = [np.array(row, object) for row in ([[0, 1, 0]],)]
    over = dict(normalising(Norm("norm", 0, 1, Rescale(np.ones(3, np.int32), np.zeros(3, np.int32), 0, 1)), found[0]))
    assert over["over the root"].max() == 2 << NORM_BITS


def test_the_layer_is_named_with_its_bound_what_is_allowed_and_what_to_do() -> None:
    network = small(Linear("layer 3: query", 0, eights(4, 1), Rescale(np.array([2**20], np.int32), ZERO, 0, 255)))
    with pytest.raises(ModelError) as caught:
        integer_graph(network)
    assert str(caught.value) == (
        'Linear "layer 3: query": times multiplier can be 0 to 8556380160; allowed: -2147483648 to 2147483647 (int32); '
        "give it smaller multipliers or a coarser scale"
    )


ZERO = np.zeros(1, np.int32)
ONES = np.ones(1, np.int32)


def eights(inputs: int, outputs: int) -> Any:
    return np.full((inputs, outputs), 8, np.int8)


def small(*others: Instruction) -> Network:
    """A network that reads two patches of four numbers."""
    return Network((Patches("patches", 2, 4), *others), 0, 1.0)


def refused(network: Network) -> bool:
    try:
        proved(network)
    except ModelError:
        return True
    return False


def attending_to(exponential: Any, *, key_top: int = 126, most: int = 2) -> Network:
    def made(name: str, top: int) -> Linear:
        return Linear(name, 0, eights(4, 4), Rescale(np.ones(4, np.int32), np.zeros(4, np.int32), 0, top))

    attention = Attention("attention", 1, 2, 3, 2, exponential)
    return replace(
        small(made("query", 255), made("key", key_top), made("value", 126), attention),
        instructions=(
            Patches("patches", most, 4),
            made("query", 255),
            made("key", key_top),
            made("value", 126),
            attention,
        ),
    )


FALLING = Table(np.array([255, 100, 0], np.uint8))


@pytest.mark.parametrize(
    ("network", "seen"),
    [
        (Network((), 0, 1.0), "no instructions"),
        (small(Patches("again", 2, 4)), "it is number 1"),
        (small(Pool("pool", 1, "mean")), "it reads register 1"),
        (small(Pool("pool", -1, "mean")), "it reads register -1"),
        (small(Scores("end", 0, eights(4, 1), ZERO), Pool("pool", 1, "mean")), "followed by others"),
        (small(Scores("end", 0, eights(5, 1), ZERO)), "rows of weights 5"),
        (small(Scores("end", 0, np.full((4, 1), -64, np.int8), ZERO)), "weights can be -64"),
        (small(Scores("end", 0, eights(4, 1), np.array([2**31 - 1], np.int32))), "answer less zero can be 2147483647"),
        (small(Linear("layer", 0, eights(4, 1), Rescale(ONES, ZERO, 32, 255))), "shift can be 32"),
        (small(Linear("layer", 0, eights(4, 1), Rescale(ONES, ZERO, 24, 255))), "largest before the shift"),
        (small(Linear("layer", 0, eights(4, 2), Rescale(ONES, ZERO, 0, 255))), "multipliers (1,)"),
        (small(Activation("curve", 0, Table(np.zeros(255, np.uint8)))), "argument can be 0 to 255"),
        (small(Activation("curve", 0, Gelu(0, 255, 200, 2**24, 0, 0))), "slope times argument"),
        (small(Activation("curve", 0, Gelu(0, 255, 200, 1, 0, 0))), "before the shift can be"),
        (small(Norm("norm", 0, 0, Rescale(np.ones(4, np.int32), np.zeros(4, np.int32), 0, 255))), "epsilon can be 0"),
        (small(Add("sum", 0, 0, 1, None)), "zero 1"),
        (small(Add("sum", 0, 0, 2**31 - 1, 255), Add("more", 1, 1, -(2**31), 255)), "sum less zero"),
        (attending_to(FALLING, key_top=127), "keys can be 0 to 127"),
        (attending_to(Table(np.array([0, 1], np.uint8))), "sum of weights can be 0"),
        (attending_to(FALLING, most=70_000), "sum of weights can be 255 to 17850000"),
        (small(Activation("curve", 0, Gelu(0, 255, 200, 2**10, 4_000_000, 10))), "value can be"),
        (attending_to(Polynomial(21, 0, 0, 13)), "fraction can be 21"),
        (attending_to(Polynomial(9, 60_000, 0, 13)), "square of the parabola"),
        (attending_to(Polynomial(9, 1000, -(2**20), 13)), "parabola can be"),
        (attending_to(Polynomial(9, 1000, 350_000, 10)), "value can be"),
    ],
)
def test_what_does_not_fit_is_refused(network: Network, seen: str) -> None:
    with pytest.raises(ModelError) as caught:
        proved(network)
    assert seen in str(caught.value)
    assert str(caught.value).count("; ") == 2


def test_an_answer_that_only_overflows_less_its_zero_is_refused() -> None:
    network = small(Scores("end", 0, -eights(4, 1), np.array([-(2**31) + 8160], np.int32)))
    proved(network)
    with pytest.raises(ModelError, match="answer less zero"):
        proved(replace(network, zero=1))


def test_a_proof_has_a_line_for_every_number_and_says_how_much_of_its_type_is_used() -> None:
    weights = np.array([[-8], [8], [8], [8]], np.int8)
    multiplier = np.array([-(2**17)], np.int32)
    proof = proved(small(Linear("layer", 0, weights, Rescale(multiplier, ZERO, 20, 255))))
    assert list(proof.lines()) == [
        ("patches", "register", 0, 255, "a register", "0.0%"),
        ("layer", "given", 0, 255, "8 bits", "100.0%"),
        ("layer", "weights", -8, 8, "weights", "12.7%"),
        ("layer", "pair of products", -4080, 4080, "int16", "12.5%"),
        ("layer", "inner product", -2040, 6120, "int32", "0.0%"),
        ("layer", "shift", 20, 20, "a shift of 32 bits", "64.5%"),
        ("layer", "largest before the shift", 0, 2**28 - 1, "int32", "12.5%"),
        ("layer", "times multiplier", -6120 * 2**17, 2040 * 2**17, "int32", "37.4%"),
        ("layer", "plus offset", -6120 * 2**17, 2040 * 2**17, "int32", "37.4%"),
        ("layer", "answer less zero", 0, 255, "int32", "0.0%"),
        ("layer", "register", 0, 255, "a register", "0.0%"),
    ]


def test_a_register_is_bounded_column_by_column() -> None:
    weights = np.array([[1, 0, -1]] * 4, np.int8)
    rescale = Rescale(np.ones(3, np.int32), np.full(3, 10, np.int32), 1, 1000)
    register = proved(small(Linear("layer", 0, weights, rescale))).instructions[1].register
    assert register.low.tolist() == [5, 5, 0]
    assert register.high.tolist() == [515, 5, 5]
