from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from tests.kernel.integer.networks import grown
from unisono.kernel.integer.network import Attention, Embedding, Network, Norm, Pool, Rescale
from unisono.kernel.integer.reference import answer
from unisono.kernel.integer.rows import first_only
from unisono.models.integer.graph import GIVEN, integer_graph
from unisono.models.session import Runner


def names(network: Network) -> list[str]:
    return [network.instructions[place].name for place in sorted(first_only(network))]


def pooled(kind: Any, *, layers: int = 2) -> Network:
    """An encoder whose last instruction is a Pool."""
    network = grown(11, layers=layers).network
    last = max(place for place, one in enumerate(network.instructions) if isinstance(one, Norm))
    return Network((*network.instructions[: last + 1], Pool("pool", last, kind)), 0, 1.0)


def test_before_a_pool_of_the_first_row_only_keys_and_values_and_what_they_read_have_all_rows() -> None:
    network = pooled("first")
    found = first_only(network)
    last = max(place for place, one in enumerate(network.instructions) if isinstance(one, Attention))
    attention = network.instructions[last]
    assert isinstance(attention, Attention)
    assert found >= {attention.query, *range(last, len(network.instructions) - 1)}
    assert not found & {attention.key, attention.value, len(network.instructions) - 1}
    assert min(found) > attention.query - 2  # a requantisation for the query alone may be before it


def test_a_mean_reads_every_row() -> None:
    assert names(pooled("mean")) == []
    assert names(Network(pooled("first").instructions[:-1], 0, 1.0)) == []


def test_a_register_that_a_mean_reads_too_has_all_rows() -> None:
    ones = Rescale(np.ones(2, np.int32), np.zeros(2, np.int32), 0, 255)
    words = Embedding("words", np.ones((3, 2), np.int8), np.ones(3, np.int32), np.zeros((4, 2), np.int32))
    norm = Norm("norm", 0, 1, ones)
    assert names(Network((words, norm, Pool("first", 1, "first")), 0, 1.0)) == ["norm"]
    assert names(Network((words, norm, Pool("mean", 1, "mean"), Pool("first", 1, "first")), 0, 1.0)) == []


@pytest.mark.parametrize("kind", ["first", "mean"])
def test_fewer_rows_change_no_bit(kind: str) -> None:
    network = pooled(kind)
    runner = Runner(integer_graph(network))
    for tokens in range(1, network.most_tokens + 1):
        given = np.zeros((2, tokens), np.int64)
        assert runner({GIVEN: given})[0].tolist() == answer(network, [0] * tokens) * 2


def test_the_products_of_the_last_layer_are_of_one_row() -> None:
    model = onnx.load_model_from_string(integer_graph(pooled("first")))
    runner = Runner(_with_every_product(model))
    products = [found.shape[1] for found in runner({GIVEN: np.zeros((1, 2), np.int64)})[1:]]
    assert products.count(1) == 4  # query, attention's output, and both of the feed-forward part
    assert products.count(2) == len(products) - 4


def _with_every_product(model: onnx.ModelProto) -> bytes:
    constants = {one.name for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "MatMulInteger" and node.input[1] in constants:
            model.graph.output.append(onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.INT32, None))
    return model.SerializeToString()
