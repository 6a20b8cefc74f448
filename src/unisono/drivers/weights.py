"""A graph with one weight changed, for planted faults."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import onnx
import polars as pl
from onnx import numpy_helper

from unisono.drivers.comparing import Answers, compare
from unisono.drivers.scores import Scores
from unisono.drivers.scoring import Scorer
from unisono.features.answers import Matrix
from unisono.spec.errors import InputError

_TRIES = 200
_FACTOR = 1.03125  # a weight is changed by a 32nd: one last bit may vanish in a sum of many


def change_weight(scorer: Scores, names: tuple[str, ...], requests: pl.DataFrame, features: Matrix) -> Scorer:
    """One that answers with the first changed weight that shows in the answers to these requests.

    names:    the feature names, in the order of the matrix.
    requests: their columns.
    features: float64, requests x features, null by its payload.

    Raises InputError if no weight shows.
    """
    if not isinstance(scorer, Scorer):
        raise InputError("plant: change-weight needs a registered model; allowed: a version's graph; register one")
    expected = Answers(features, scorer.score(requests, features))
    for graph in _changed(scorer.onnx):
        other = Scorer.of_graph(scorer.version, graph, names, scorer.extras)
        if compare(Answers(features, other.score(requests, features)), expected).row is not None:
            return other
    raise InputError("plant: no answer would show change-weight; allowed: a model with weights; use another fault")


def _changed(graph: bytes) -> Iterator[bytes]:
    """The graph with another weight each time, of those that are not zero."""
    for place in islice(_places(onnx.load_model_from_string(graph)), _TRIES):
        model = onnx.load_model_from_string(graph)
        _change(model, *place)
        yield model.SerializeToString()


def _places(model: onnx.ModelProto) -> Iterator[tuple[str, int, int, int]]:
    """Where weights are: in a tensor (its number, 0) or an attribute (node, attribute), and which of them."""
    for number, node in enumerate(model.graph.node):
        for index, attribute in enumerate(node.attribute):
            if "weight" in attribute.name or "coefficients" in attribute.name:
                values = attribute.floats or numpy_helper.to_array(attribute.t).reshape(-1)
                yield from (("attribute", number, index, at) for at, value in enumerate(values) if value)
    for number, tensor in enumerate(model.graph.initializer):
        if tensor.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE):
            values = numpy_helper.to_array(tensor).reshape(-1)
            yield from (("tensor", number, 0, at) for at in np.flatnonzero(values).tolist())


def _change(model: onnx.ModelProto, kind: str, number: int, index: int, at: int) -> None:
    if kind == "tensor":
        tensor = model.graph.initializer[number]
        tensor.CopyFrom(_scaled(tensor, at))
        return
    attribute = model.graph.node[number].attribute[index]
    if attribute.floats:
        attribute.floats[at] *= _FACTOR
    else:
        attribute.t.CopyFrom(_scaled(attribute.t, at))


def _scaled(tensor: onnx.TensorProto, at: int) -> onnx.TensorProto:
    values = numpy_helper.to_array(tensor).copy()
    values.reshape(-1)[at] *= _FACTOR
    return numpy_helper.from_array(values, tensor.name)
