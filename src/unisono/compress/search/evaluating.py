"""Carries out a recipe for a search, and measures the result by the rows that are there to choose by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter_ns

import numpy as np
import polars as pl
from onnx import load_model_from_string

from unisono.compress.data import Data
from unisono.compress.recipe import Recipe
from unisono.compress.report.answers import Answers, answers_of
from unisono.compress.report.changes import rows_to_judge, slice_changes
from unisono.compress.report.comparing import Comparison, compared
from unisono.compress.report.graphs.constants import ConstantsOf
from unisono.compress.report.graphs.parameters import parameters_of
from unisono.compress.report.serving import Requests, Serving, requests_of, servings, typical
from unisono.compress.report.slicing import slices_of
from unisono.compress.running.definition import Definition, graph_with
from unisono.compress.running.run import Made, carry_out
from unisono.compress.search.figures import Fidelity, Figures
from unisono.compress.subject import Subject
from unisono.models import ImportedModel, PredictorGraph
from unisono.models.front_graph import with_front
from unisono.spec.progress import Progress

_ROUNDS, _CALLS = 7, 16
_NS_A_MS = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """An `Evaluate` of one model.

    subject, frame, definition, folder, unlabelled: see `running.run.carry_out`; stages are shared by all recipes.
    """

    subject: Subject
    frame: pl.DataFrame
    definition: Definition
    folder: Path
    unlabelled: pl.DataFrame | None = None
    progress: Progress
    _originals: dict[tuple[str, str], Answers] = field(default_factory=dict)

    def __call__(self, recipe: Recipe, fidelity: Fidelity) -> Figures:
        """The figures of a recipe. Raises UnisonoError for one that gives no model."""
        made = carry_out(
            recipe if fidelity == "full" else without_recovery(recipe),
            self.subject,
            self.frame,
            self.definition,
            folder=self.folder,
            unlabelled=self.unlabelled,
            progress=self.progress,
        )
        return self._measured(made, recipe)

    def _measured(self, made: Made, recipe: Recipe) -> Figures:
        judged = replace(made.data, test=made.data.validation)  # a search must not see what it is judged by
        original, result = (graph_with(self.definition, one) for one in (made.original, made.result))
        before, after, ratio = _quickest(original, result, judged, recipe.runtime)
        comparison = self._compared(judged, before, original, after, result)
        accuracies = comparison.accuracies()
        return Figures(
            accuracy=accuracies[1].value,
            original=accuracies[0].value,
            size_bytes=_size(made.result, result),
            latency_ms=after.median_ms,
            speedup=ratio,
            parameters=parameters_of(ConstantsOf(with_front(result.onnx))).count,
            worst_slice=_worst(comparison, judged),
            agreement=comparison.agreement().value,
            statistics=_operators(result.onnx),
        )

    def _compared(
        self, judged: Data, before: _Timed, original: PredictorGraph, after: _Timed, result: PredictorGraph
    ) -> Comparison:
        rows, key = judged.test, (before.serving.runtime, judged.identity)
        if key not in self._originals:
            self._originals[key] = answers_of(original, before.serving.session, rows, self.progress)
        answers = answers_of(result, after.serving.session, rows, self.progress)
        truth = np.zeros(rows.height) if original.task == "outputs" else judged.targets(rows)
        return compared(self._originals[key], answers, truth=truth)


def without_recovery(recipe: Recipe) -> Recipe:
    """The same without the steps that change neither the size nor the speed, but win accuracy back."""
    return replace(recipe, steps=tuple(step for step in recipe.steps if step.STAGE != "recovery"))


@dataclass(frozen=True, slots=True)
class _Timed:
    serving: Serving
    median_ms: float


def _quickest(
    original: PredictorGraph, result: PredictorGraph, data: Data, runtime: str | None
) -> tuple[_Timed, _Timed, float]:
    """Both in the runtime that suits each, or the result in the one that was chosen; and the speedup."""
    rows = typical(original, data.test, _CALLS)
    sides = [
        [(one, requests_of(graph, rows)) for one in servings(graph, wanted) if wanted in (None, one.runtime)]
        for graph, wanted in ((original, None), (result, runtime))
    ]
    timed = _in_turns([pair for side in sides for pair in side])
    count = len(sides[0])
    before, after = (min(part, key=lambda one: one.median_ms) for part in (timed[:count], timed[count:]))
    return before, after, before.median_ms / after.median_ms


def _in_turns(models: list[tuple[Serving, Requests]]) -> list[_Timed]:
    """Calls with one row, in rounds of all models in turn."""
    took = np.empty((len(models), _ROUNDS, _CALLS))
    for number in range(_ROUNDS):
        for place, (serving, requests) in enumerate(models):
            for call in range(_CALLS):
                one = requests.part(call, 1)
                begun = perf_counter_ns()
                serving.answer(one)
                took[place, number, call] = (perf_counter_ns() - begun) / _NS_A_MS
    medians = np.median(took[:, 1:], axis=(1, 2))  # the first round warms up
    return [_Timed(serving, float(median)) for (serving, _), median in zip(models, medians, strict=True)]


def _size(model: ImportedModel, graph: PredictorGraph) -> int:
    """Of the graph and of the files that travel with it: nearly the artifact's."""
    return len(graph.onnx) + sum(len(content) for content in model.extras.values())


def _worst(comparison: Comparison, data: Data) -> float | None:
    needed = rows_to_judge(comparison)
    changes = [one.change.value for one in slice_changes(comparison, slices_of(data), needed) if one.is_judged]
    return max(0.0, -min(changes)) if changes else None


def _operators(onnx: bytes) -> dict[str, float]:
    """How often each operator comes."""
    counts = Counter(node.op_type for node in load_model_from_string(onnx).graph.node)
    return {f"operators.{name}": float(count) for name, count in sorted(counts.items())}
