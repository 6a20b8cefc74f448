"""The engine "trees": tree ensembles by the kernel, everything around them by onnxruntime. Its bits are onnxruntime's.

Both add float64 numbers tree by tree; the kernel finds a row's leaves another way, for 64 rows at once.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from unisono.kernel.forests import Forest
from unisono.kernel.walking import TreesError
from unisono.models.engines.base import PreparedGraph, UnsuitableError
from unisono.models.engines.parts import Ensemble, Parts, read_parts
from unisono.models.engines.relay import run_part
from unisono.models.engines.steps import FEW_ROWS, Stepper
from unisono.models.session import Run, Runner, Tensor, stop
from unisono.models.verifying.classes import NumericClass
from unisono.spec.errors import InputError


class Trees:
    """The engine."""

    numeric_class: NumericClass = "exact"

    def open(self, graph: bytes, reference: Run) -> Run:
        """A graph, ready to run. Raises UnsuitableError for a graph without trees, or with others than the kernel's."""
        return _run_of(_cut(graph), reference)

    def prepare(self, graph: bytes) -> PreparedGraph:
        """What is made of a graph. Raises UnsuitableError."""
        parts = _cut(graph)
        return PreparedGraph(parts.to_bytes(), parts.asks_sets)

    def restore(self, content: bytes, reference: Run | None) -> Run:
        """What was prepared, ready to run. Raises ModelError for bytes that are something else."""
        return _run_of(read_parts(content), reference)


def _cut(graph: bytes) -> Parts:
    from unisono.models.engines.splitting import cut  # which loads onnx

    return cut(graph)


def _run_of(parts: Parts, reference: Run | None) -> Run:
    whole = _CutGraph(parts, reference)
    return whole if parts.steps is None else _Quick(whole, Stepper(parts.steps))


class _Quick:
    """One ensemble of which only numbers are made: few rows go past onnxruntime."""

    __slots__ = ("_ensemble", "_stepper", "_whole")

    def __init__(self, whole: _CutGraph, stepper: Stepper) -> None:
        self._whole, self._stepper = whole, stepper
        (self._ensemble,) = whole.ensembles

    def __call__(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """The outputs, in order. Raises InputError if an array does not fit."""
        matrix = feeds[self._ensemble.matrix]
        if len(matrix) > FEW_ROWS or self._ensemble.asks_sets:
            return self._whole(feeds)
        found = self._stepper.outputs(self._ensemble.add_up(matrix)[:, 0].tolist())
        return self._whole(feeds) if found is None else found

    def stop(self) -> None:
        """Let what runs now end soon."""
        self._whole.stop()


class _CutGraph:
    """A graph in parts, ready to run."""

    __slots__ = ("_after", "_before", "_outputs", "_reference", "ensembles")

    def __init__(self, parts: Parts, reference: Run | None) -> None:
        self._before = None if parts.before is None else Runner(parts.before)
        self.ensembles = tuple(_Ensemble(one) for one in parts.ensembles)
        self._after = None if parts.after is None else Runner(parts.after)
        self._outputs = parts.outputs
        self._reference = reference if parts.asks_sets else None  # else its trees need not be kept

    def __call__(self, feeds: Mapping[str, Tensor]) -> list[Tensor]:
        """The outputs, in order. Raises InputError if an array does not fit."""
        values = dict(feeds)
        run_part(self._before, values)
        for ensemble in self.ensembles:
            matrix = values[ensemble.matrix]
            if self._reference is not None and ensemble.has_fractions(matrix):
                return self._reference(feeds)
            values[ensemble.sums] = ensemble.add_up(matrix)
        run_part(self._after, values)
        return [values[name] for name in self._outputs]

    def stop(self) -> None:
        """Let what runs now end soon."""
        for part in (self._before, self._after, self._reference):
            stop(part)


class _Ensemble:
    """One tree ensemble; see `parts.Ensemble`."""

    __slots__ = ("_forest", "_whole", "_width", "matrix", "sums")

    def __init__(self, ensemble: Ensemble) -> None:
        self.matrix, self.sums = ensemble.matrix, ensemble.sums
        self._width, self._whole = ensemble.width, ensemble.whole
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
