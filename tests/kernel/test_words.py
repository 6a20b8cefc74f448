"""Every word means on every machine what its plain Python means."""

from __future__ import annotations

import itertools
import random
import struct
from collections.abc import Iterator
from functools import cache, lru_cache

import pytest

from unisono.kernel import words

from . import sample_words
from .conftest import MACHINES, Built
from .image import Image, Place
from .machines import Machine, ThisProcess

RANDOM_ROWS = 400
CORNERS = sorted(
    {
        (sign * (1 << bits) + step + (1 << 63)) % (1 << 64) - (1 << 63)
        for bits in (0, 1, 5, 31, 32, 33, 52, 53, 54, 62, 63)
        for sign in (1, -1)
        for step in (-1, 0, 1)
    }
)
CORNER_FLOATS = (
    *(
        0.0,
        -0.0,
        0.5,
        -0.5,
        1.0,
        -1.0,
        1.5,
        2.0**52 + 0.5,
        2.0**53,
        -(2.0**62),
        9.1e18,
        5e-324,
        2.2250738585072014e-308,
    ),
    *(1.7976931348623157e308, 0.1, 1 / 3, float("inf"), float("-inf"), 1e-160, 3.0, 1.0 + 2.0**-52, 2.0**-1022 * 1.5),
)


def _bits(value: float) -> int:
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    return int(bits)


def _integers() -> Iterator[tuple[int, int]]:
    yield from itertools.product(CORNERS, CORNERS)
    chance = random.Random(1)
    for _ in range(RANDOM_ROWS):
        yield tuple(chance.getrandbits(chance.randint(1, 64)) - (1 << 63) for _ in range(2))  # type: ignore[misc]


def _floats() -> Iterator[tuple[int, int]]:
    chance = random.Random(2)
    for left, right in itertools.product(CORNER_FLOATS, CORNER_FLOATS):
        if left * right + left == left * right + left:
            yield _bits(left), _bits(right)
    for _ in range(RANDOM_ROWS):
        yield tuple(_bits(chance.uniform(-1, 1) * 2.0 ** chance.randint(-70, 70)) for _ in range(2))  # type: ignore[misc]


FLOAT_WORDS = {"float_bits", "bits_float", "square_root", "truncate"}


@lru_cache(maxsize=2)
def _image(floats: bool) -> tuple[Image, Place]:
    rows = list(_floats() if floats else _integers())
    image = Image()
    inputs = image.words(*itertools.chain.from_iterable(rows))
    outputs = image.words(*[0] * len(rows))
    scratch = image.words(*range(sample_words.SCRATCH_WORDS))
    return image, image.words(len(rows), inputs, outputs, scratch)


@cache
def _expected(name: str) -> tuple[int, bytes]:
    return ThisProcess(sample_words.EXPORTS).call(name, *_image(name in FLOAT_WORDS))


@pytest.fixture(scope="module", params=MACHINES)
def machine(request: pytest.FixtureRequest, words_kernel: Built) -> Machine:
    return words_kernel.machine(request.param)


@pytest.mark.parametrize("name", sample_words.EXPORTS)
def test_a_word_has_one_meaning_on_every_machine(name: str, machine: Machine) -> None:
    assert machine.call(name, *_image(name in FLOAT_WORDS)) == _expected(name)


def test_every_word_is_tried() -> None:
    used = {
        name for form in vars(sample_words).values() if hasattr(form, "__code__") for name in form.__code__.co_names
    }
    public = {name for name, value in vars(words).items() if hasattr(value, "__code__") and not name.startswith("_")}
    assert public - used == set()
