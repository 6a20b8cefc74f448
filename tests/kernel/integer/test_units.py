"""Published units, in whole numbers: bit for bit what the published hardware and code gave."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given as tried
from hypothesis import strategies as st

from unisono.kernel.integer.units import ibert, shift, swifttron
from unisono.kernel.integer.units.words import rounded_shift

VECTORS = Path(__file__).parent / "vectors"
Row = list[int]
Answer = Callable[[Row], Row]


def vectors(name: str) -> list[tuple[Row, Row]]:
    """What was given, and what came out."""
    document = json.loads(gzip.decompress((VECTORS / f"{name}.json.gz").read_bytes()))
    return [(given, found) for given, found in document["rows"]]


def differences(name: str, answer: Answer) -> list[tuple[Row, Row, Row]]:
    """Rows for which something else comes out: what was given, what should come out, what does."""
    triples = [(given, wanted, answer(given)) for given, wanted in vectors(name)]
    return [one for one in triples if one[1] != one[2]]


def hardware_root(given: Row) -> Row:
    return list(swifttron.newton(given[0]))


def hardware_softmax(given: Row) -> Row:
    count, *ports = given[:5]
    return [*swifttron.softmax(given[5:], swifttron.ExponentialPorts(*ports)), 3 * count]


def hardware_norm(given: Row) -> Row:
    count, c, *row = given
    _, cycles = swifttron.newton(swifttron.variance(row, c))
    return [*swifttron.layer_norm(row, c), 3 * count + 2 + cycles]


def hardware_sum(given: Row) -> Row:
    return [swifttron.multiply_add(list(zip(given[1::2], given[2::2], strict=True))), given[0]]


def hardware_array(given: Row, *, registers: int) -> Row:
    """32 rows and 8 columns: all sums of a column together, with its bias."""
    depth, biases, found = given[0], given[1:9], given[9:]
    steps = [found[40 * place : 40 * place + 40] for place in range(depth)]
    sums = [
        swifttron.multiply_add([(step[row], step[32 + column]) for step in steps]) + biases[column]
        for column in range(8)
        for row in range(32)
    ]
    return [*sums, depth + 8 + registers]


HARDWARE: dict[str, Answer] = {
    "requantise": lambda given: [swifttron.requantise(*given)],
    "exponential": lambda given: [swifttron.exponential(given[0], swifttron.ExponentialPorts(*given[1:]))],
    "softmax": hardware_softmax,
    "gelu": lambda given: [swifttron.gelu(given[0], swifttron.GeluPorts(*given[1:]))],
    "square_root": hardware_root,
    "layer_norm": hardware_norm,
    "mac": hardware_sum,
    "array": lambda given: hardware_array(given, registers=0),
    "array_registered": lambda given: hardware_array(given, registers=2),
}


@pytest.mark.parametrize("unit", HARDWARE)
def test_what_the_published_hardware_gave_and_how_long_it_took_comes_out(unit: str) -> None:
    assert differences(f"swifttron_{unit}", HARDWARE[unit]) == []


def ibert_softmax(given: Row) -> Row:
    numerator, bits, multiplier, dropped, *row = given
    return ibert.softmax(row, ibert.ExponentialConstants.at(numerator / 2**bits), (multiplier, dropped))


def ibert_gelu(given: Row) -> Row:
    numerator, bits, number = given
    return [ibert.gelu(number, ibert.GeluConstants.at(numerator / 2**bits))]


CODE: dict[str, Answer] = {
    "ibert_softmax": ibert_softmax,
    "ibert_gelu": ibert_gelu,
    "ibert_layer_norm": lambda given: ibert.layer_norm(given[2:], [given[1]] * len(given[2:]), given[0]),
    "ibert_requantise": lambda given: [ibert.requantise(given[2], given[0], given[1])],
    "shift_softmax": lambda given: shift.softmax(given[2:], given[0] / 2 ** given[1]),
    "shift_gelu": lambda given: shift.gelu(given[2:], given[0] / 2 ** given[1]),
    "shift_layer_norm": lambda given: shift.layer_norm(given[1:], [given[0]] * len(given[1:])),
    "shift_requantise": lambda given: [shift.requantise(given[2], given[0], given[1])],
}


@pytest.mark.parametrize("unit", CODE)
def test_what_the_published_code_gave_comes_out(unit: str) -> None:
    assert differences(unit, CODE[unit]) == []


WORDS = st.integers(-(1 << 31), (1 << 31) - 1)
DIVISORS = WORDS.filter(bool)


@tried(WORDS, WORDS, WORDS, WORDS, DIVISORS)
def test_whatever_words_go_into_hardware_a_word_comes_out(x: int, b: int, c: int, ln2: int, divisor: int) -> None:
    found = [
        swifttron.exponential(x, swifttron.ExponentialPorts(b, c, ln2, divisor)),
        swifttron.gelu(x, swifttron.GeluPorts(b, c, ln2, divisor)),
        swifttron.variance([x, b, c], divisor),
        swifttron.multiply_add([(x & 127, -128)]),
    ]
    assert all(-(1 << 31) <= one < 1 << 31 for one in found)
    assert -128 <= swifttron.requantise(x, b, c & 63) < 128


@tried(st.integers(0, (1 << 31) - 1))
def test_the_root_of_hardware_is_the_whole_root(number: int) -> None:
    assert swifttron.square_root(number) == math.isqrt(number)


@tried(st.lists(st.integers(-2000, 2000), min_size=1, max_size=40), st.floats(2**-10, 0.5))
def test_shares_are_not_negative_and_add_up_to_no_more_than_one(row: list[int], scale: float) -> None:
    constants = ibert.ExponentialConstants.at(scale)
    shares = ibert.softmax(row, constants, ibert.exponential_rescale(constants))
    shifted = shift.softmax(row, scale)
    assert min(shares) >= 0 <= min(shifted)
    assert sum(shares) <= 256
    assert sum(shifted) <= 128


def test_a_softmax_of_hardware_has_no_answer_where_nothing_is_left_to_divide_by() -> None:
    """The maximum starts at 0: of a row that is far below, all exponentials are shifted away."""
    with pytest.raises(ZeroDivisionError):
        swifttron.softmax([-4000, -4001], swifttron.ExponentialPorts.at(0.01))


def test_a_normalisation_of_hardware_has_no_answer_for_a_row_that_does_not_vary() -> None:
    with pytest.raises(ZeroDivisionError):
        swifttron.layer_norm([0, 0, 0], 3)


def test_the_variance_of_hardware_holds_the_sum_of_the_row() -> None:
    row = [40, 60, 50, 50]
    assert swifttron.variance(row, 4) == (sum(row) + 200) // 4


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 99, 100, (1 << 31) - 1, (1 << 40) + 1, 10**30])
def test_the_root_of_polynomials_is_the_whole_root(number: int) -> None:
    assert ibert.square_root(number) == math.isqrt(number)


def test_ten_steps_of_a_root_are_enough_for_large_numbers_only() -> None:
    small = [number for number in range(1, 5000) if shift.square_root(number) != math.isqrt(number)]
    large = [number for number in range(1 << 20, 1 << 31, 999983) if shift.square_root(number) != math.isqrt(number)]
    assert len(small) > 4000
    assert all(abs(shift.square_root(number) - math.isqrt(number)) <= 1 for number in large)


@pytest.mark.parametrize("ratio", [0.75, 1.0, 1e-6, 123.4])
def test_a_dyadic_number_is_within_half_a_step_of_its_ratio(ratio: float) -> None:
    multiplier, dropped = ibert.dyadic(ratio)
    assert abs(math.ldexp(multiplier, -dropped) - ratio) <= math.ldexp(0.5, -dropped)


@pytest.mark.parametrize(("number", "dropped", "wanted"), [(5, 1, 2), (7, 1, 4), (-5, 1, -2), (-7, 1, -4), (3, -2, 12)])
def test_halves_are_rounded_to_even(number: int, dropped: int, wanted: int) -> None:
    assert rounded_shift(number, dropped) == wanted
