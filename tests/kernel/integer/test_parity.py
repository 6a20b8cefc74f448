"""The kernel makes the registers of the reference, bit for bit, on every machine; a planted difference is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isqrt
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings

from tests.kernel.conftest import MACHINES, Built
from tests.kernel.machines import ThisProcess
from unisono.kernel import exports
from unisono.kernel.integer.encoder import Encoder
from unisono.kernel.integer.network import Linear, Network, Norm, Requantise
from unisono.kernel.integer.reference import registers
from unisono.kernel.integer.rowwise import whole_root

from .calls import answer_on, first_difference, registers_on
from .networks import Asked, Kind, grown, networks

pytestmark = pytest.mark.slow

KINDS: tuple[Kind, ...] = ("text", "vision")


@settings(deadline=None, max_examples=60)
@given(networks())
def test_every_register_is_that_of_the_reference(asked: Asked) -> None:
    encoder = Encoder(asked.network)
    for row in asked.rows:
        wanted = registers(asked.network, row)
        assert first_difference(asked.network, wanted, encoder.registers(row)) == ""
        assert encoder.answer(row).tolist() == wanted[-1]


@pytest.mark.parametrize("machine", ["python", *(pytest.param(name, marks=pytest.mark.slow) for name in MACHINES)])
@pytest.mark.parametrize("kind", KINDS)
def test_every_machine_makes_the_registers_of_the_reference(
    build: Callable[[ModuleType], Built], machine: str, kind: Kind
) -> None:
    runs = ThisProcess(exports.EXPORTS) if machine == "python" else build(exports).machine(machine)
    for seed in range(4):
        asked = grown(seed, kind, layers=1 + seed % 2)
        wanted = [registers(asked.network, row) for row in asked.rows]
        row, last = asked.rows[-1], wanted[-1]
        assert first_difference(asked.network, last, registers_on(runs, asked.network, row)) == ""
        for each, made in zip(asked.rows, wanted, strict=True):
            assert answer_on(runs, asked.network, each) == np.array(made[-1]).reshape(-1).tolist()


@pytest.mark.parametrize("machine", ["python", pytest.param("native", marks=pytest.mark.slow)])
def test_what_is_in_the_workspace_before_does_not_matter(build: Callable[[ModuleType], Built], machine: str) -> None:
    runs = ThisProcess(exports.EXPORTS) if machine == "python" else build(exports).machine(machine)
    for kind in KINDS:
        asked = grown(7, kind, layers=1)
        found = [answer_on(runs, asked.network, asked.rows[-1], fill=fill) for fill in (0, 127, 255)]
        assert found[0] == found[1] == found[2]


def _with(network: Network, index: int, changed: object) -> Network:
    made = list(network.instructions)
    made[index] = changed  # type: ignore[call-overload]  # one of the same kind
    return replace(network, instructions=tuple(made))


def _rounded_otherwise(network: Network, index: int) -> Network:
    """A network with one constant that rounds down where the other rounds to the nearest."""
    one = network.instructions[index]
    assert isinstance(one, Linear | Norm | Requantise)
    offset = one.rescale.offset.copy()
    offset[0] -= (1 << one.rescale.shift) >> 1
    return _with(network, index, replace(one, rescale=replace(one.rescale, offset=offset)))


def _weighted_otherwise(network: Network, index: int) -> Network:
    one = network.instructions[index]
    assert isinstance(one, Linear)
    weights = one.weights.copy()
    weights[0, 0] += 1 if weights[0, 0] < 0 else -1
    return _with(network, index, replace(one, weights=weights))


@pytest.mark.parametrize(
    ("change", "kinds"), [(_rounded_otherwise, (Linear, Norm, Requantise)), (_weighted_otherwise, (Linear,))]
)
def test_a_planted_difference_is_named(change: Callable[[Network, int], Network], kinds: tuple[type, ...]) -> None:
    """Not every change of a number changes what comes out; those that do are found where they are."""
    named = 0
    for seed in range(30):
        asked = grown(seed, "text", layers=1)
        places = [place for place, one in enumerate(asked.network.instructions) if isinstance(one, kinds)]
        place = places[seed % len(places)]
        encoder = Encoder(change(asked.network, place))
        pairs = [(registers(asked.network, row), encoder.registers(row)) for row in asked.rows]
        found = {first_difference(asked.network, *pair) for pair in pairs}
        assert found <= {"", asked.network.instructions[place].name}
        named += found != {""}
    assert named > 8


def test_the_root_is_the_largest_whole_one() -> None:
    roots = [*range(1, 300), *(3**power for power in range(6, 20)), *((1 << power) - 1 for power in range(9, 32))]
    for root in (*roots, 1 << 31):
        for value in (root * root - 1, root * root, root * root + 1):
            if value > 0:
                assert whole_root(value) == isqrt(value)
