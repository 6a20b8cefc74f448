"""The engine "trees": tree ensembles by the kernel, everything around them by onnxruntime. Its bits are onnxruntime's.

Both add float64 numbers tree by tree; the kernel finds a row's leaves another way, for 64 rows at once.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import NodeProto

from unisono.kernel.forests import Forest
from unisono.kernel.walking import TreesError
from unisono.models.engines.base import UnsuitableError
from unisono.models.engines.ensemble import read_ensemble
from unisono.models.engines.splitting import cut
from unisono.models.session import Run, Runner, Tensor
from unisono.models.verifying.classes import NumericClass
from unisono.spec.errors import InputError


class Trees:
    """The engine."""

    numeric_class: NumericClass = "exact"

    def open(self, graph: bytes, reference: Run) -> Run:
        """A graph, ready to run. Raises UnsuitableError for a graph without trees, or with others than the kernel's."""
        return _CutGraph(graph, reference)


class _CutGraph:
    """A graph in parts, ready to run."""

    __slots__ = ("_after", "_before", "_ensembles", "_outputs", "_reference")

    def __init__(self, graph: bytes, reference: Run) -> None:
        parts = cut(graph)
        self._before = None if parts.before is None else Runner(parts.before)
        self._ensembles = tuple(_Ensemble(node, parts.widths.get(node.input[0])) for node in parts.ensembles)
        self._after = None if parts.after is None else Runner(parts.after)
        self._outputs = parts.outputs
        asks_sets = any(one.asks_sets for one in self._ensembles)
        self._reference = reference if asks_sets else None  # else its trees need not be kept

    def __call__(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """The outputs, in order. Raises InputError if an array does not fit."""
        values = dict(feeds)
        _run(self._before, values)
        for ensemble in self._ensembles:
            matrix = values[ensemble.matrix]
            if self._reference is not None and ensemble.has_fractions(matrix):
                return self._reference(feeds)
            values[ensemble.sums] = ensemble.add_up(matrix)
        _run(self._after, values)
        return [values[name] for name in self._outputs]


def _run(part: Runner | None, values: dict[str, Tensor]) -> None:
    """Adds what a part makes to the values that there are."""
    if part is not None:
        given = {name: values[name] for name in part.inputs if name in values}
        values.update(zip(part.outputs, part(given), strict=True))


class _Ensemble:
    """One tree ensemble.

    matrix, sums: names of what it reads and makes.
    width:        columns that the matrix has to have; None: as many as are asked about, or more.
    """

    __slots__ = ("_forest", "_whole", "_width", "matrix", "sums")

    def __init__(self, node: NodeProto, width: int | None) -> None:
        ensemble = read_ensemble(node)
        self._width = width
        self.matrix, self.sums = node.input[0], node.output[0]
        self._whole = ensemble.whole
        try:
            self._forest = Forest(ensemble.trees)
        except TreesError as error:
            raise UnsuitableError(str(error)) from error

    @property
    def asks_sets(self) -> bool:
        """Whether a split asks if a number is in a set."""
        return len(self._whole) > 0

    def has_fractions(self, matrix: Tensor) -> bool:
        """Whether a number that sets are asked about is none of their kind."""
        asked = matrix[:, self._whole]
        return bool(np.any(np.isfinite(asked) & (asked != np.trunc(asked))))

    def add_up(self, matrix: Tensor) -> Tensor:
        """The sums. Raises InputError if the matrix does not fit."""
        try:
            if self._width is not None and matrix.shape[1:] != (self._width,):
                raise ValueError(f"{list(matrix.shape)}, not rows x {self._width}")
            return self._forest.sums(matrix)
        except ValueError as error:
            raise InputError(f"{self.matrix}: {error}; allowed: arrays as the graph says; check the arrays") from error
