"""The front of a graph that runs: one matrix for the numbers that a model takes as they are.

A registered graph has an input a request column and one that says where it is null: 60 inputs and 90 operators before
30 numbers are a matrix, which cost more than 200 trees do. `front_graph.with_front` makes the same graph with the
matrix itself as its input; here is what fills it in. No number changes: a null is NaN, a whole number or a truth is
rounded once, as the graph would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from unisono.models.names import FEATURES, REQUEST, input_name, null_name
from unisono.spec.errors import ModelError
from unisono.spec.wording import one_line

FRONT_KEY = "unisono.front"
"""Of the metadata of a graph with a front."""

MATRIX = "matrix"
"""The input that is the front: float64, rows x columns, NaN for null."""

Tensor = NDArray[Any]
Matrix = NDArray[np.float64]
Places = slice | NDArray[np.int64]


class Front(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a graph's matrix is made of.

    columns: in order: a request column by its name, a feature by its place in `features`.
    inputs:  names of what the registered graph takes.
    """

    columns: tuple[int | str, ...]
    inputs: tuple[str, ...]

    @property
    def features(self) -> tuple[int, ...]:
        """Places in `features` of the columns that are features, in the matrix's order."""
        return tuple(one for one in self.columns if isinstance(one, int))

    @property
    def request(self) -> tuple[str, ...]:
        """The columns that are the request's, in the matrix's order."""
        return tuple(one for one in self.columns if isinstance(one, str))

    @property
    def feature_places(self) -> Places:
        """Where the features are in the matrix."""
        return places([at for at, one in enumerate(self.columns) if isinstance(one, int)])

    @property
    def request_places(self) -> Places:
        """Where the request's columns are in the matrix."""
        return places([at for at, one in enumerate(self.columns) if isinstance(one, str)])

    def to_text(self) -> str:
        """As the graph's metadata has it."""
        return msgspec.json.encode(self).decode()


def front_of(metadata: Mapping[str, str]) -> Front | None:
    """The front that a graph says it has; None if it has none. Raises ModelError if it says something else."""
    if FRONT_KEY not in metadata:
        return None
    try:
        return msgspec.json.decode(metadata[FRONT_KEY], type=Front)
    except msgspec.MsgspecError as error:
        raise ModelError(
            f"graph: its front: {one_line(error)}; allowed: one that unisono made; prepare the version again"
        ) from error


def places(numbers: Sequence[int]) -> Places:
    """Some places of a row, as numpy takes them quickest: a slice if they follow each other."""
    first = numbers[0] if numbers else 0
    if list(numbers) == list(range(first, first + len(numbers))):
        return slice(first, first + len(numbers))
    return np.array(numbers, np.int64)


class Filling:
    """Fills in a front's matrix from the arrays that the registered graph takes."""

    __slots__ = ("_feature_places", "_features", "_request", "_width")

    def __init__(self, front: Front) -> None:
        self._width = len(front.columns)
        self._features, self._feature_places = places(front.features), front.feature_places
        named = [(at, input_name(REQUEST, one)) for at, one in enumerate(front.columns) if isinstance(one, str)]
        self._request = tuple((at, name, null_name(name)) for at, name in named)

    def matrix(self, feeds: Mapping[str, Tensor]) -> Matrix:
        """The matrix.

        feeds: input name of the registered graph -> array, one value or row a row.
        """
        matrix = np.empty((len(next(iter(feeds.values()))), self._width))
        if FEATURES in feeds:
            matrix[:, self._feature_places] = feeds[FEATURES][:, self._features]
        for at, name, null in self._request:
            column = matrix[:, at]
            column[:] = feeds[name]
            if null in feeds and feeds[null].any():
                column[feeds[null]] = np.nan
        return matrix
