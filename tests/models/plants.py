"""Errors planted in a graph, as a careless importer might make them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, ModelProto, numpy_helper

from unisono.models import PredictorGraph

Change = Callable[[NDArray[Any]], NDArray[Any]]


def changed_trees(graph: PredictorGraph, attribute: str, change: Change) -> PredictorGraph:
    """The graph with an attribute of its trees changed."""
    model = onnx.load_model_from_string(graph.onnx)
    node = next(one for one in model.graph.node if one.op_type == "TreeEnsemble")
    place = next(one for one in node.attribute if one.name == attribute)
    if place.type == AttributeProto.TENSOR:
        values = change(numpy_helper.to_array(place.t).copy())
        place.t.CopyFrom(numpy_helper.from_array(values, place.t.name))
    else:
        place.ints[:] = change(np.array(place.ints)).tolist()
    return _with(graph, model)


def changed_constant(graph: PredictorGraph, old: NDArray[Any], new: NDArray[Any]) -> PredictorGraph:
    """The graph with another value for one of its constants."""
    model = onnx.load_model_from_string(graph.onnx)
    constants = [node.attribute[0].t for node in model.graph.node if node.op_type == "Constant"]
    (found,) = [one for one in constants if np.array_equal(_plain(one), old)]
    found.CopyFrom(numpy_helper.from_array(new, found.name))
    return _with(graph, model)


def _plain(tensor: onnx.TensorProto) -> NDArray[Any]:
    values = numpy_helper.to_array(tensor)
    if values.dtype != object:
        return values
    return np.array([one.decode() if isinstance(one, bytes) else one for one in values.reshape(-1)], object)


def _with(graph: PredictorGraph, model: ModelProto) -> PredictorGraph:
    return replace(graph, onnx=model.SerializeToString(deterministic=True))


def at(place: int, change: Callable[[Any], Any]) -> Change:
    """Changes one value."""

    def changed(values: NDArray[Any]) -> NDArray[Any]:
        values[place] = change(values[place])
        return values

    return changed
