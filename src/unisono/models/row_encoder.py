"""Requests as they come in, row by row, as the arrays that a graph takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.models.names import null_name, tokens_name
from unisono.models.predictor_graph import PredictorGraph
from unisono.models.tensors import ELEMENTS
from unisono.spec.types import Decimal, DType, Tensor

Array = NDArray[Any]
Values = list[Any]

_KINDS: Mapping[str, tuple[Any, object]] = {
    "String": (object, ""),
    "Int64": (np.int64, 0),
    "Float64": (np.float64, 0.0),
    "Decimal": (np.float64, 0.0),
    "Bool": (np.bool_, False),
    "Timestamp": (np.int64, 0),
}


class RowEncoder:
    """Turns rows of values into the arrays that `Session.run` takes; the same bits as from a frame.

    graph:   the predictor's.
    columns: of a row, in order, with dtypes.
    """

    def __init__(self, graph: PredictorGraph, columns: Mapping[str, DType]) -> None:
        places = {name: place for place, name in enumerate(columns)}
        self._encoders = [(name, places[name], _encoder(dtype)) for name, dtype in graph.request.items()]
        self._tokenizers = graph.tokenizers

    def encode(self, rows: Sequence[Sequence[Any]]) -> dict[str, Array]:
        """The arrays, by column.

        rows: strictly typed: str, int, float, bool, or None for null; a Timestamp in microseconds, a Decimal in its
              last places, a Tensor as an array of its element and shape.
        """
        arrays: dict[str, Array] = {}
        for name, place, encoder in self._encoders:
            values = [row[place] for row in rows]
            arrays[name], nulls = encoder(values)
            if nulls is not None:
                arrays[null_name(name)] = nulls
        for name, tokenizer in self._tokenizers.items():
            arrays[tokens_name(name)] = tokenizer.column(arrays[name])
        return arrays


def _encoder(dtype: DType) -> Callable[[Values], tuple[Array, Array | None]]:
    if isinstance(dtype, Tensor):
        element = ELEMENTS[dtype.element]
        return lambda values: (np.stack(values).astype(element, copy=False), None)
    kind, fill = _KINDS[dtype.name]
    power = 10**dtype.places if isinstance(dtype, Decimal) else 0

    def encode(values: Values) -> tuple[Array, Array | None]:
        nulls = None
        if None in values:
            nulls = np.array([value is None for value in values])
            values = [fill if value is None else value for value in values]
        if power:
            values = [value / power for value in values]  # rounded once
        return np.array(values, kind), nulls

    return encode
