"""Ranks under a budget."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from unisono.compress.low_rank.allocation import Option, allocated, equal_shares
from unisono.spec.errors import ModelError


def layer(weight: float, seed: int) -> list[Option]:
    """Five ranks of a layer whose energies fall, and the layer as it is."""
    energies = np.sort(np.random.default_rng(seed).exponential(size=6))[::-1]
    lost = 1 - np.cumsum(energies) / energies.sum()
    ranks = [Option(rank, 20.0 * rank, weight * float(lost[rank - 1])) for rank in range(1, 6)]
    return [*ranks, Option(None, 110.0, 0.0)]


LAYERS = {name: layer(weight, seed) for seed, (name, weight) in enumerate({"a": 1.0, "b": 5.0, "c": 0.2}.items())}


@pytest.mark.parametrize("budget", [60.0, 120.0, 180.0, 250.0, 330.0])
def test_no_other_ranks_of_the_same_cost_lose_less(budget: float) -> None:
    found = allocated(LAYERS, budget, "parameters")
    cost, loss = sum(one.cost for one in found.values()), sum(one.loss for one in found.values())
    assert cost <= budget
    others = [chosen for chosen in product(*LAYERS.values()) if sum(one.cost for one in chosen) <= cost]
    assert loss <= min(sum(one.loss for one in chosen) for chosen in others) + 1e-12


def test_a_layer_that_matters_more_gets_a_higher_rank() -> None:
    alike = [Option(rank, float(rank), 1 / rank) for rank in range(1, 9)]
    found = allocated({"much": [Option(one.rank, one.cost, 9 * one.loss) for one in alike], "little": alike}, 9.0, "ms")
    assert (found["much"].rank, found["little"].rank) == (7, 2)


def test_with_all_that_they_cost_layers_stay_as_they_are() -> None:
    assert {one.rank for one in allocated(LAYERS, 330.0, "parameters").values()} == {None}


def test_equal_shares_are_as_near_as_ranks_allow() -> None:
    small = [Option(1, 30.0, 0.5), Option(None, 40.0, 0.0)]
    found = equal_shares({"a": LAYERS["a"], "small": small}, 95.0, "parameters")
    assert {name: one.rank for name, one in found.items()} == {"a": 3, "small": 1}


@pytest.mark.parametrize("choose", [allocated, equal_shares])
def test_a_budget_out_of_reach_is_refused_with_what_would_do(choose) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ModelError, match="cost 60 parameters; allowed: 59"):
        choose(LAYERS, 59.0, "parameters")
