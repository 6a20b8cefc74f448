"""What an integer network costs as it was built."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.integer.networks import grown
from unisono.kernel.integer.network import Attention, Linear, Network, Scores
from unisono.kernel.integer.reference import registers
from unisono.place.accelerator import Built, cost
from unisono.place.accelerator.steps import Product
from unisono.spec.errors import DefinitionError


def counted(network: Network, row: list[int]) -> int:
    """Multiplications, from the shapes that the reference really makes."""
    found = registers(network, row)
    total = 0
    for one, made in zip(network.instructions, found, strict=True):
        if isinstance(one, Linear | Scores):
            total += len(made) * one.weights.size
        if isinstance(one, Attention):
            total += 2 * len(made) ** 2 * len(made[0])
    return total


@given(st.integers(0, 2**32 - 1), st.sampled_from(["text", "vision"]))
def test_a_network_costs_the_multiplications_that_it_makes(seed: int, kind: str) -> None:
    asked = grown(seed, kind)  # type: ignore[arg-type]
    row = list(asked.rows[-1])
    assert cost(Built(asked.network, len(row))).multiplications == counted(asked.network, row)


def test_weights_are_those_of_its_products() -> None:
    network = grown(3, layers=2).network
    weights = sum(one.weights.size for one in network.instructions if isinstance(one, Linear | Scores))
    steps = [one for _, one in Built(network, 2).steps()]
    assert sum(one.weights for one in steps if isinstance(one, Product)) == weights


def test_fewer_nodes_cost_less() -> None:
    network = grown(3, layers=2).network
    place = next(i for i, one in enumerate(network.instructions) if isinstance(one, Linear))
    whole = network.instructions[place]
    assert isinstance(whole, Linear)
    half = Linear(whole.name, whole.given, whole.weights[:, : max(1, whole.weights.shape[1] // 2)], whole.rescale)
    fewer = Network((*network.instructions[:place], half), network.zero, network.scale)
    more = Network(network.instructions[: place + 1], network.zero, network.scale)
    assert np.prod(half.weights.shape) < np.prod(whole.weights.shape)
    assert cost(Built(fewer, 2)).energy_mj.all.low < cost(Built(more, 2)).energy_mj.all.low


@pytest.mark.parametrize("tokens", [0, 10**6])
def test_tokens_that_it_does_not_read_are_refused(tokens: int) -> None:
    with pytest.raises(DefinitionError, match=f"tokens: {tokens} .*; allowed: a whole number from 1 to"):
        Built(grown(3).network, tokens)
