"""Judges a graph by the fitted model that it was made of, on a sample and on rows at the edges of its inputs.

Two things are measured and never mixed up. How near the graph is to the fitted model: rows, differences, the worst row.
And how near one machine's answers are to another's: the numeric class (`verifying.machines`). From the moment it is
registered the graph is the definition; the fitted model answers nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import polars as pl

from unisono.models.importers.base import ImportedModel
from unisono.models.predictor_graph import PredictorGraph
from unisono.models.session import Session
from unisono.models.traced import TracedTransform
from unisono.models.verifying.asking import Asked, Skipped, ask
from unisono.models.verifying.classes import NumericClass
from unisono.models.verifying.differences import Comparison, Outputs, Pair, compare, shapes_of, shown
from unisono.models.verifying.edges import EdgeRows, edge_rows
from unisono.models.verifying.machines import Machines, measure, sums_float32
from unisono.models.verifying.operators import unsure_operators
from unisono.spec.errors import ModelError
from unisono.spec.progress import Progress, no_progress
from unisono.spec.wording import one_line

DEFAULT_BOUND = 1e-6
"""Largest difference, absolute or relative, that is not refused; one that is imported wrongly differs by far more."""

FLOAT32_BOUND = 1e-5
"""The same for a graph that sums float32 numbers."""

_MEASURED = 500  # rows of the sample, and as many edge rows, that are run in other ways
_PART = 1024  # rows of the sample whose answers are awaited at a time
_SHOWN_INPUTS = 12


@dataclass(frozen=True, slots=True)
class Difference:
    """One row where graph and model differ.

    row:    of the sample, or of the edge rows, from 0.
    edge:   what it is at the edge of; None for a row of the sample.
    output: which output.
    graph, model: what each says.
    inputs: what the model read there, as text.
    """

    row: int
    edge: str | None
    output: str
    graph: str
    model: str
    inputs: Mapping[str, str]

    def __str__(self) -> str:
        place = f"row {self.row}" if self.edge is None else f"edge row {self.row} ({self.edge})"
        return f"{place}, {self.output}: the graph says {self.graph}, the model {self.model}"

    @property
    def told_inputs(self) -> str:
        """The inputs in one line, the first of many."""
        listed = [f"{name} {value}" for name, value in self.inputs.items()]
        more = [f"... ({len(listed)} in all)"] if len(listed) > _SHOWN_INPUTS else []
        return ", ".join([*listed[:_SHOWN_INPUTS], *more])


@dataclass(frozen=True, slots=True)
class Verification:
    """How near a graph comes to its fitted model, and how near machines come to each other.

    rows:    of the sample.
    edges:   rows at the edges that were compared, those `beyond` not among them.
    splits:  questions of trees that edge rows stand at, of split_count that there are.
    skipped: edge rows that the fitted model does not accept.
    max_abs: largest absolute difference of a number, and max_rel of it by the model's number.
    max_gap: largest of what each number differs by, absolute or relative, whichever is smaller.
    max_ulp: largest difference in numbers of the same float type that lie between.
    differs: rows with a bit that differs.
    flips:   rows with another label (0 for a regression).
    bound:   what was allowed.
    worst:   the row with the largest difference; None if all bits are equal.
    beyond:  extreme rows, at 1e300 or infinity, of a graph whose sums have no order: told, never refused; None: there
             are none, or they are among the edges.
    machines: how the graph's answers depend on where it runs.
    """

    rows: int
    edges: int
    splits: int
    split_count: int
    skipped: tuple[Skipped, ...]
    max_abs: float
    max_rel: float
    max_gap: float
    max_ulp: int
    differs: int
    flips: int
    bound: float
    worst: Difference | None
    beyond: Comparison | None
    machines: Machines

    @property
    def is_equal(self) -> bool:
        """Whether every bit that was compared is the fitted model's."""
        return self.differs == 0

    @property
    def numeric_class(self) -> NumericClass:
        """Of the graph: exact if every machine gives its bits."""
        return self.machines.numeric_class


@dataclass(frozen=True, slots=True)
class Verified:
    """A verification with the rows at the edges that it was made with.

    verification: what was measured.
    edges:        rows that graph and model agree on, so that they can be golden.
    """

    verification: Verification
    edges: pl.DataFrame


def verify(
    graph: PredictorGraph,
    imported: ImportedModel,
    sample: pl.DataFrame,
    *,
    transforms: Sequence[TracedTransform] = (),
    bound: float | None = None,
) -> Verification:
    """Runs graph and fitted model over a sample and over rows at the edges, and compares every answer.

    sample:     rows with the request, feature and derived columns, e.g. the training frame.
    transforms: the predictor's own, which the graph was built of.
    bound:      largest difference, absolute or relative to the model's number, that is not refused; None: 1e-6, or
                1e-5 for a graph that sums float32 numbers.

    Raises ModelError, with the worst row, if a number differs by more or a label differs; or if a row's answer
    depends on the batch it comes in. InputError if the sample lacks a column.
    """
    return verify_with_edges(graph, imported, sample, transforms=transforms, bound=bound).verification


def verify_with_edges(
    graph: PredictorGraph,
    imported: ImportedModel,
    sample: pl.DataFrame,
    *,
    transforms: Sequence[TracedTransform] = (),
    bound: float | None = None,
    progress: Progress = no_progress,
) -> Verified:
    """The same, with the edge rows that can be golden."""
    if sample.height == 0:
        raise ModelError("sample: no rows; allowed: one or more; pass the training frame, or a part of it")
    judge = _Judge(graph, imported, bound, progress)
    of_sample = judge.of_sample(sample)
    edges = edge_rows(graph, imported, sample, transforms)
    asked = ask(imported.answer, edges.frame, [change.kind for change in edges.changes])
    machines = judge.measure(sample, edges.frame[asked.where(~edges.extreme).rows])
    is_beyond = edges.extreme & (machines.numeric_class != "exact")
    of_edges = judge.of_edges(edges, asked.where(~is_beyond))
    beyond = asked.where(is_beyond)
    found = Verification(
        **_widest(of_sample.comparison, of_edges.comparison),
        rows=sample.height,
        edges=of_edges.comparison.rows,
        splits=edges.splits,
        split_count=edges.split_count,
        skipped=asked.skipped,
        bound=judge.limit,
        worst=max((of_sample, of_edges), key=_severity).worst,
        beyond=judge.compare_edges(edges, beyond) if len(beyond.rows) else None,
        machines=machines,
    )
    return Verified(found, edges.frame[asked.where(~is_beyond).rows])


@dataclass(frozen=True, slots=True)
class _Found:
    """What a comparison found, with its worst row shown."""

    comparison: Comparison
    worst: Difference | None


def _severity(found: _Found) -> tuple[int, float, int]:
    return found.comparison.flips, found.comparison.max_gap, found.comparison.differs


class _Judge:
    """Compares a graph with the model that it was made of."""

    def __init__(self, graph: PredictorGraph, imported: ImportedModel, bound: float | None, progress: Progress) -> None:
        self._graph = graph
        self._progress = progress
        self._imported = imported
        self._session = Session(graph.onnx)
        self._operators = unsure_operators(onnx.load_model_from_string(graph.onnx))
        self._flips_allowed = bound is not None  # a label may differ where its numbers are as near as the user wants
        default = FLOAT32_BOUND if sums_float32(self._operators) else DEFAULT_BOUND
        self.limit = default if bound is None else bound

    def of_sample(self, sample: pl.DataFrame) -> _Found:
        """Raises ModelError if they differ by too much on a row, or if the model fails."""
        says = self._ask_in_parts(sample)
        self._progress("verifying: asking the model", 0, None)
        try:
            wanted = self._imported.answer(sample)
        except Exception as error:  # the library's own
            raise ModelError(
                f"model: fails on the sample: {one_line(error)}; allowed: rows as it was fitted on; "
                "check the sample's columns"
            ) from error
        return self._judged(_compared(says, wanted), sample, None)

    def of_edges(self, edges: EdgeRows, asked: Asked) -> _Found:
        """The same for rows at the edges."""
        kinds = [edges.changes[row].kind for row in asked.rows]
        return self._judged(self.compare_edges(edges, asked), edges.frame[asked.rows], kinds)

    def compare_edges(self, edges: EdgeRows, asked: Asked) -> Comparison:
        """What was answered at the edges; nothing is refused."""
        if not len(asked.rows):
            return Comparison(0, 0.0, 0.0, 0.0, 0, 0, 0, None)
        return _compared(self._ask_graph(edges.frame[asked.rows]), asked.outputs)

    def measure(self, sample: pl.DataFrame, edges: pl.DataFrame) -> Machines:
        """How the graph's answers depend on where it runs. Raises ModelError if they depend on the batch."""
        parts = [_spread(sample), _spread(edges)]
        features = np.concatenate([self._graph.features_of(part) for part in parts])
        encoded = [self._graph.encode(part, "sample") for part in parts]
        request = {name: np.concatenate([one[name] for one in encoded]) for name in encoded[0]}
        feeds = self._session.feeds(features, request)
        return measure(self._graph.onnx, feeds, self._operators, progress=self._progress)

    def _ask_in_parts(self, frame: pl.DataFrame) -> Outputs:
        parts = []
        for start in range(0, frame.height, _PART):
            self._progress("verifying: asking the graph", start, frame.height)
            parts.append(self._ask_graph(frame[start : start + _PART]))
        return {name: np.concatenate([one[name] for one in parts]) for name in parts[0]}

    def _ask_graph(self, frame: pl.DataFrame) -> Outputs:
        return self._session.run(self._graph.features_of(frame), self._graph.encode(frame, "sample"))

    def _judged(self, comparison: Comparison, frame: pl.DataFrame, kinds: Sequence[str] | None) -> _Found:
        worst = None if comparison.worst is None else self._difference(comparison.worst, frame, kinds)
        flips = 0 if self._flips_allowed else comparison.flips
        if worst is None or (comparison.max_gap <= self.limit and not flips):
            return _Found(comparison, worst)
        raise ModelError(
            f"graph: differs from the model by {comparison.max_abs:g} ({comparison.max_ulp} units in the last "
            f"place), and in {comparison.flips} of {comparison.rows} labels; {worst}; its inputs: {worst.told_inputs}; "
            f"allowed: {self.limit:g}, and no other label; say `bound` if that is near enough, else report it"
        )

    def _difference(self, pair: Pair, frame: pl.DataFrame, kinds: Sequence[str] | None) -> Difference:
        inputs = frame.select(name for name in self._imported.columns).row(pair.row, named=True)
        return Difference(
            row=pair.row,
            edge=None if kinds is None else kinds[pair.row],
            output=pair.output,
            graph=pair.one,
            model=pair.other,
            inputs={name: shown(value) for name, value in inputs.items()},
        )


def _compared(says: Outputs, wanted: Outputs) -> Comparison:
    """Numbers of other shapes would be compared by broadcasting, and those of other widths by other bits."""
    graph, model = shapes_of(says), shapes_of(wanted)
    if graph != model:
        raise ModelError(
            f"graph: gives {graph}, the model {model}; allowed: the same outputs of the same shapes; "
            "report it with the model"
        )
    return compare(says, wanted)


def _spread(frame: pl.DataFrame) -> pl.DataFrame:
    count = min(_MEASURED, frame.height)
    return frame[np.unique(np.linspace(0, max(frame.height - 1, 0), count).astype(np.int64))]


def _widest(*found: Comparison) -> dict[str, Any]:
    """The largest of each difference, and the count of all rows that differ."""
    largest = {name: max(getattr(one, name) for one in found) for name in ("max_abs", "max_rel", "max_gap", "max_ulp")}
    return {**largest, **{name: sum(getattr(one, name) for one in found) for name in ("differs", "flips")}}
