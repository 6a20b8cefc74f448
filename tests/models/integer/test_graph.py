from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings

from tests.kernel.integer.networks import Asked, Kind, grown, networks
from unisono.kernel.integer.network import Embedding, Network, Norm, Pool, Rescale
from unisono.kernel.integer.reference import answer
from unisono.models.emit import Emitter, value
from unisono.models.integer.floats import float_operators
from unisono.models.integer.graph import ANSWER, GIVEN, integer_graph
from unisono.models.integer.norm import rooted
from unisono.models.integer.proving import Proof
from unisono.models.integer.site import Site
from unisono.models.session import Runner, Setting
from unisono.models.verifying.operators import unsure_operators
from unisono.spec.errors import InputError

SETTINGS = (Setting("none"), Setting("extended"), Setting("all"), Setting("all", threads=2))


@given(networks())
@settings(max_examples=20)
def test_a_graph_gives_the_bits_of_the_reference(asked: Asked) -> None:
    runner = Runner(integer_graph(asked.network))
    for row in asked.rows:
        wanted = less_zero(asked.network, row)
        assert np.array_equal(said(runner, [row])[0].reshape(wanted.shape), wanted)


@pytest.mark.parametrize("kind", ["text", "vision"])
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_no_level_of_optimisation_changes_a_bit(setting: Setting, kind: Kind) -> None:
    asked = grown(4, kind, layers=2)
    ours, theirs = Runner(integer_graph(asked.network)), Runner(integer_graph(asked.network), setting)
    for row in asked.rows:
        assert np.array_equal(said(ours, [row]), said(theirs, [row]))


@pytest.mark.parametrize("kind", ["text", "vision"])
def test_rows_of_one_length_are_answered_together_as_each_by_itself(kind: Kind) -> None:
    asked = grown(5, kind, layers=2)
    runner = Runner(integer_graph(asked.network))
    rows = [asked.rows[-1], asked.rows[-1][::-1], asked.rows[-1]]
    together = said(runner, rows)
    for row, one in zip(rows, together, strict=True):
        assert np.array_equal(said(runner, [row])[0], one)


@pytest.mark.parametrize("kind", ["text", "vision"])
def test_a_graph_has_whole_numbers_only_and_operators_that_are_sure_on_every_machine(kind: Kind) -> None:
    for seed in range(3):
        model = onnx.load_model_from_string(integer_graph(grown(seed, kind, layers=2).network))
        assert float_operators(model) == []
        assert unsure_operators(model) == ()


def test_the_same_network_is_the_same_graph_byte_for_byte() -> None:
    assert integer_graph(grown(3, layers=1).network) == integer_graph(grown(3, layers=1).network)


def test_ids_that_the_vocabulary_does_not_have_are_refused_when_the_graph_runs() -> None:
    asked = grown(1)
    runner = Runner(integer_graph(asked.network))
    first = asked.network.instructions[0]
    assert isinstance(first, Embedding)
    for wrong in (len(first.words), -1, -(2**40), 2**40):
        with pytest.raises(InputError, match="out of data bounds"):
            said(runner, [[wrong]])


def test_rows_longer_than_the_positions_are_refused_when_the_graph_runs() -> None:
    for seed in range(4):
        asked = grown(seed)
        runner = Runner(integer_graph(asked.network))
        with pytest.raises(InputError, match="out of data bounds"):
            said(runner, [[0] * (asked.network.most_tokens + 1)])


def test_a_row_without_tokens_has_no_mean_and_no_first() -> None:
    for seed, kind in ((2, "mean"), (3, "first")):
        runner = Runner(integer_graph(_pooled(grown(seed).network, kind)))
        with pytest.raises(InputError):
            said(runner, [[]])


def test_what_the_proof_shows_to_fit_is_not_clipped() -> None:
    words = Embedding("words", np.array([[3, 1, 9]], np.int8), np.array([7], np.int32), np.zeros((2, 3), np.int32))
    for top, clips in ((2**16, 0), (2**15, 1)):
        rescale = Rescale(np.full(3, 4, np.int32), np.full(3, 1, np.int32), 2, top)
        network = Network((words, Norm("norm", 0, 1, rescale)), 0, 1.0)
        graph = integer_graph(network)
        assert sum(node.op_type == "Clip" for node in onnx.load_model_from_string(graph).graph.node) == clips
        assert np.array_equal(said(Runner(graph), [[0, 0]])[0], less_zero(network, [0, 0]))


@pytest.mark.parametrize("bound", [3, 2**20, 2**38 + 5, 2**62 - 1])
def test_the_root_is_the_whole_part_beside_every_square(bound: int) -> None:
    roots = np.unique([*range(1, 3000), *(2**bits + step for bits in range(2, 31) for step in (-2, -1, 0, 1, 2))])
    drawn = np.random.default_rng(0).integers(1, bound, 5000)
    x = np.array([value for root in roots.tolist() for value in (root**2 - 1, root**2, root**2 + 1)] + drawn.tolist())
    x = np.unique(np.append(x, bound))
    x = x[(x >= 1) & (x <= bound)][:, np.newaxis]
    found = _rooted(bound)({"x": x})[0]
    assert found[:, 0].tolist() == [isqrt(value) for value in x[:, 0].tolist()]


def _rooted(bound: int) -> Runner:
    emit = Emitter()
    emit.rename(rooted(Site(Network((), 0, 1.0), Proof(()), emit, "x"), "x", bound), "y")
    return Runner(emit.model([value("x", np.int64, "N", 1)], [value("y", np.int64, "N", 1)]).SerializeToString())


def _pooled(network: Network, kind: Any) -> Network:
    return Network((*network.instructions[:2], Pool("pool", 1, kind)), 0, 1.0)


def less_zero(network: Network, row: Any) -> np.ndarray:
    return np.array(answer(network, row)) - network.zero


def said(runner: Runner, rows: Any) -> np.ndarray:
    """What a graph answers to some rows."""
    is_text = runner.shapes[0][1] == "tensor(int64)"
    assert (runner.inputs, runner.outputs) == ((GIVEN,), (ANSWER,))
    (found,) = runner({GIVEN: np.array(rows, np.int64 if is_text else np.uint8)})
    assert found.dtype == np.int32
    return found
