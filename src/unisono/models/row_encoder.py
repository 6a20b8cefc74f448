"""Requests as they come in, row by row, as the arrays that a graph takes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.models.front import MATRIX, Front, places
from unisono.models.names import FEATURES, REQUEST, input_name, null_name, tokens_name
from unisono.models.predictor_graph import PredictorGraph
from unisono.models.session import Interface
from unisono.models.tensors import ELEMENTS
from unisono.spec.errors import ModelError
from unisono.spec.types import Decimal, DType, Tensor

Array = NDArray[Any]
Matrix = NDArray[np.float64]
Row = Sequence[Any]
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
    """Turns rows of values into the arrays that `Session.answer_directly` takes; the same bits as from a frame.

    graph:     the predictor's.
    interface: of what runs it, with or without a front.
    columns:   of a row, in order, with dtypes.
    features:  names of the columns of the feature matrix that comes with rows.

    Raises ModelError if the graph wants a column or a feature that is not among them.
    """

    def __init__(
        self, graph: PredictorGraph, interface: Interface, columns: Mapping[str, DType], features: Sequence[str]
    ) -> None:
        _refuse_others(graph.request, columns)
        taken = set(interface.inputs)
        wanted = feature_numbers(graph.features, features)
        row_places = {name: place for place, name in enumerate(columns)}
        front = interface.front
        self._front = None if front is None else _MatrixEncoder(front, graph.request, row_places, wanted)
        self._features = places(wanted) if FEATURES in taken else None
        self._columns = [
            _ColumnEncoder(name, row_places[name], dtype, taken)
            for name, dtype in graph.request.items()
            if input_name(REQUEST, name) in taken
        ]
        self._texts = [
            (tokens_name(input_name(REQUEST, name)), row_places[name], tokenizer)
            for name, tokenizer in graph.tokenizers.items()
        ]

    def encode(self, rows: Sequence[Row], features: Matrix) -> dict[str, Array]:
        """The arrays, by input name.

        rows:     strictly typed: str, int, float, bool, or None for null; a Timestamp in microseconds, a Decimal in its
                  last places, a Tensor as an array of its element and shape.
        features: float64, rows x features, any NaN for null.

        Cost: about 1 us for a row of 30 numbers into a front.
        """
        arrays: dict[str, Array] = {}
        if self._front is not None:
            arrays[MATRIX] = self._front.matrix(rows, features)
        if self._features is not None:
            arrays[FEATURES] = features[:, self._features]
        for column in self._columns:
            column.put(rows, arrays)
        for name, place, tokenizer in self._texts:
            arrays[name] = tokenizer.column([row[place] or "" for row in rows])
        return arrays


def _refuse_others(wanted: Mapping[str, DType], given: Mapping[str, DType]) -> None:
    for name, dtype in wanted.items():
        if given.get(name) != dtype:
            raise ModelError(
                f'the graph reads "{name}" as {dtype}, and the predictor has {given.get(name, "no such column")}; '
                "allowed: the request it was registered with; register the model again"
            )


def feature_numbers(wanted: Sequence[str], given: Sequence[str]) -> list[int]:
    """Where each feature that a graph wants is among those given. Raises ModelError if one is not there."""
    missing = [name for name in wanted if name not in given]
    if missing:
        raise ModelError(
            f"the graph wants feature {missing[0]}, which the predictor does not give; allowed: the features it was "
            "registered with; register the model again"
        )
    return [given.index(name) for name in wanted]


class _MatrixEncoder:
    """Makes the matrix of a front.

    front:    what it is made of.
    dtypes:   of the request columns.
    rows:     column -> place in a row.
    features: places of the graph's features in the rows of features that are given.
    """

    __slots__ = ("_chosen", "_count", "_features", "_pack", "_request", "_take", "_width", "matrix")

    def __init__(
        self, front: Front, dtypes: Mapping[str, DType], rows: Mapping[str, int], features: Sequence[int]
    ) -> None:
        self._width = len(front.columns)
        self._chosen = places([features[place] for place in front.features])
        self._features, self._request = front.feature_places, front.request_places
        self._count = len(front.request)
        self._pack = struct.Struct(f"{self._count}d").pack
        self._take = _taking(front.request, dtypes, rows)
        both = self._both if front.features else self._of_rows
        self.matrix: Callable[[Sequence[Row], Matrix], Matrix] = both if front.request else self._of_features

    def _both(self, rows: Sequence[Row], features: Matrix) -> Matrix:
        matrix = np.empty((len(rows), self._width))
        matrix[:, self._features] = features[:, self._chosen]
        matrix[:, self._request] = self._of_rows(rows, features)
        return matrix

    def _of_features(self, rows: Sequence[Row], features: Matrix) -> Matrix:
        return features[:, self._chosen]

    def _of_rows(self, rows: Sequence[Row], features: Matrix) -> Matrix:
        """Packing takes half of the time of numpy's way; but it refuses None, which numpy makes NaN of."""
        pack, take = self._pack, self._take
        try:
            packed = b"".join([pack(*take(row)) for row in rows])
        except struct.error:
            return np.array([take(row) for row in rows], np.float64)
        return np.ndarray((len(rows), self._count), np.float64, packed)


def _taking(
    columns: Sequence[str], dtypes: Mapping[str, DType], rows: Mapping[str, int]
) -> Callable[[Row], Sequence[Any]]:
    """What takes the values of some columns out of a row."""
    take = getter([rows[name] for name in columns])
    kinds = [dtypes[name] for name in columns]
    powers = [(place, 10**kind.places) for place, kind in enumerate(kinds) if isinstance(kind, Decimal)]
    if not powers:
        return take

    def take_rounded(row: Row) -> Sequence[Any]:
        values = list(take(row))
        for place, power in powers:
            if values[place] is not None:
                values[place] /= power  # rounded once
        return values

    return take_rounded


def getter(numbers: Sequence[int]) -> Callable[[Row], Sequence[Any]]:
    """What takes the values at some places out of a row."""
    found = places(numbers)
    return itemgetter(found) if isinstance(found, slice) else itemgetter(*numbers)


class _ColumnEncoder:
    """Makes the arrays of one request column.

    taken: names of the graph's inputs.
    """

    __slots__ = ("_encode", "_name", "_null", "_place")

    def __init__(self, column: str, place: int, dtype: DType, taken: Collection[str]) -> None:
        self._place = place
        self._name = input_name(REQUEST, column)
        self._null = null_name(self._name) if null_name(self._name) in taken else ""
        self._encode = _encoder(dtype)

    def put(self, rows: Sequence[Row], arrays: dict[str, Array]) -> None:
        """Adds them to others. What is not null is not said to be, if the graph takes that for granted."""
        place = self._place
        arrays[self._name], nulls = self._encode([row[place] for row in rows])
        if self._null and (nulls is not None or len(rows) > 1):
            arrays[self._null] = np.zeros(len(rows), np.bool_) if nulls is None else nulls


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
