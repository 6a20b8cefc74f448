from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from hypothesis import given, settings

from tests.kernel.integer.networks import Asked, grown, networks
from tests.models.integer.test_graph import less_zero, said
from unisono.kernel.integer.network import BYTE_TOP, Attention, Instruction, Linear, Network, Requantise, Rescale
from unisono.models.integer.graph import integer_graph
from unisono.models.integer.proof import proved
from unisono.models.integer.trios import MOST_SHIFT, Trio, trios
from unisono.models.session import Runner
from unisono.models.verifying.operators import unsure_operators

_SPARE = 2  # bits of int32, for the zero points


def alike(network: Network, **changes: Any) -> Network:
    """The same network with queries, keys and values of one register and one shift.

    changes: of the keys.
    """
    made: list[Instruction] = list(network.instructions)
    for one in network.instructions:
        if isinstance(one, Attention):
            places = (one.query, one.key, one.value)
            three = [each for each in (made[place] for place in places) if isinstance(each, Linear)]
            shift = min(MOST_SHIFT, *(each.rescale.shift for each in three))
            for place, each, more in zip(places, three, ({}, changes, {}), strict=True):
                same = {"given": three[0].given, "rescale": _shifted(each.rescale, shift)}
                made[place] = replace(each, **{**same, **more})
    return replace(network, instructions=tuple(made))


def _shifted(rescale: Rescale, shift: int) -> Rescale:
    off = rescale.shift - shift + _SPARE
    return Rescale(rescale.multiplier >> off, rescale.offset >> off, shift, rescale.top)


def found(network: Network) -> dict[int, Trio]:
    return trios(network, proved(network))


@given(networks())
@settings(max_examples=20)
def test_one_product_gives_the_bits_of_three(asked: Asked) -> None:
    network = alike(asked.network)
    runner = Runner(integer_graph(network))
    for row in asked.rows:
        wanted = less_zero(network, row)
        assert np.array_equal(said(runner, [row])[0].reshape(wanted.shape), wanted)


def test_every_attention_whose_queries_are_all_asked_for_has_one_product() -> None:
    for seed in range(12):
        network = alike(grown(seed, layers=2).network)
        attentions = [one for one in network.instructions if isinstance(one, Attention)]
        made = found(network)
        assert len(attentions) - 1 <= len(made) <= 2
        model = onnx.load_model_from_string(integer_graph(network))
        weights = {one.name for one in model.graph.initializer}
        products = [one for one in model.graph.node if one.op_type == "MatMulInteger" and one.input[1] in weights]
        linears = sum(hasattr(one, "weights") for one in network.instructions)
        assert len(products) == linears - 2 * len(made)
        assert unsure_operators(model) == ()


def test_products_of_other_shifts_tops_or_registers_are_made_one_by_one() -> None:
    network = alike(grown(2, layers=1).network)
    (trio,) = found(network).values()
    key = trio.key
    coarser = Rescale(key.rescale.multiplier >> 1, key.rescale.offset >> 1, key.rescale.shift - 1, key.rescale.top)
    lower = replace(key.rescale, top=100)
    other = trio.places[1] - 1
    assert isinstance(network.instructions[other], Requantise)
    for changes in ({"rescale": coarser}, {"rescale": lower}, {"given": other}):
        assert found(alike(network, **changes)) == {}


def test_a_register_that_somebody_else_reads_is_made_by_itself() -> None:
    network = alike(grown(2, layers=1).network)
    (trio,) = found(network).values()
    reader = Linear("reader", trio.places[1], trio.query.weights, replace(trio.query.rescale, top=BYTE_TOP))
    assert found(replace(network, instructions=(*network.instructions[:-1], reader))) == {}
