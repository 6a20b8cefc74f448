"""Faults that are planted into an integer network and its graph, and what names them."""

from __future__ import annotations

from dataclasses import replace

import onnx

from benchmarks.edge_transformers.runtimes import Rows
from tests.kernel.integer.calls import first_difference
from unisono.kernel.integer.encoder import Encoder
from unisono.kernel.integer.network import Linear, Network
from unisono.models.integer.floats import float_operators
from unisono.models.integer.graph import ANSWER, integer_graph


def found(network: Network, rows: Rows) -> dict[str, str]:
    """What is planted -> what is said of it; empty: nothing."""
    middle = [place for place, one in enumerate(network.instructions) if isinstance(one, Linear)]
    place = middle[len(middle) // 2]
    return {
        f"a rounding down in one column of {network.instructions[place].name!r}": _named(
            network, rounded_down(network, place), rows
        ),
        f"one weight of {network.instructions[place].name!r}, changed by 1": _named(
            network, weighted_otherwise(network, place), rows
        ),
        "a float operator before the answer": ", ".join(float_operators(with_a_float(network))),
    }


def rounded_down(network: Network, place: int) -> Network:
    """One constant rounds down, where it rounded to the nearest."""
    one = _linear(network, place)
    offset = one.rescale.offset.copy()
    offset[0] -= (1 << one.rescale.shift) >> 1
    return _with(network, place, replace(one, rescale=replace(one.rescale, offset=offset)))


def weighted_otherwise(network: Network, place: int) -> Network:
    """One weight is 1 nearer to 0, or 1 instead of 0."""
    one = _linear(network, place)
    weights = one.weights.copy()
    weights[0, 0] += 1 if weights[0, 0] <= 0 else -1
    return _with(network, place, replace(one, weights=weights))


def with_a_float(network: Network) -> onnx.ModelProto:
    """The graph with its answer made a float and whole again."""
    model = onnx.load_from_string(integer_graph(network))
    graph = model.graph
    last = next(node for node in graph.node if ANSWER in node.output)
    last.output[list(last.output).index(ANSWER)] = "whole"
    graph.node.append(onnx.helper.make_node("Cast", ["whole"], ["planted"], "planted", to=onnx.TensorProto.FLOAT))
    graph.node.append(onnx.helper.make_node("Cast", ["planted"], [ANSWER], "back", to=onnx.TensorProto.INT32))
    return model


def _named(network: Network, changed: Network, rows: Rows) -> str:
    """The first instruction whose numbers differ, in the first sentence in which any does."""
    right, other = Encoder(network), Encoder(changed)
    names = (first_difference(network, right.registers(row), other.registers(row)) for row in rows)
    return next(filter(None, names), "")


def _linear(network: Network, place: int) -> Linear:
    one = network.instructions[place]
    assert isinstance(one, Linear)
    return one


def _with(network: Network, place: int, changed: Linear) -> Network:
    made = [changed if index == place else one for index, one in enumerate(network.instructions)]
    return replace(network, instructions=tuple(made))
