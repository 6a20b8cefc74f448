"""Measures what a recipe saved and what it cost."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from unisono.compress.data import Data
from unisono.compress.recipe import Recipe
from unisono.compress.report import changes
from unisono.compress.report.answers import Answers, Vectors, answers_of, kept_answers
from unisono.compress.report.budget import broken
from unisono.compress.report.candidate import Candidate
from unisono.compress.report.comparing import Comparison, compared
from unisono.compress.report.document import FORMAT, CalibrationBin, Interval, ReportJson, Side
from unisono.compress.report.energy import energy_mj
from unisono.compress.report.footprint import peak_bytes
from unisono.compress.report.graphs.constants import ConstantsOf
from unisono.compress.report.graphs.operations import Feeds, Work, work_of
from unisono.compress.report.graphs.parameters import parameters_of
from unisono.compress.report.latency import ROWS, Timing, speedup, timings
from unisono.compress.report.machine import machine
from unisono.compress.report.serving import Requests, Serving, requests_of, servings, typical
from unisono.compress.report.slicing import slices_of
from unisono.models.front_graph import with_front
from unisono.models.names import REFERENCE_ENGINE
from unisono.spec.errors import ModelError
from unisono.spec.progress import Progress
from unisono.spec.wording import listing

_COUNTED_ROWS = 8  # that operations are the mean of


def judge(
    original: Candidate,
    result: Candidate,
    data: Data,
    *,
    predictor: str,
    recipe: Recipe,
    notes: Mapping[str, Mapping[str, object]],
    progress: Progress,
) -> ReportJson:
    """Two models measured side by side on the test rows and on this machine.

    Each is judged in its own runtime: what that answers is what is right or wrong, since a runtime that multiplies
    otherwise answers otherwise. `broken` says what of the recipe's budget does not hold.

    Raises ModelError for a result that answers another question, or a runtime that cannot run it; InputError for test
    rows that do not fit.
    Cost: some 10 s for the latencies, twice the time to answer all test rows, and a process for each model.
    """
    _refuse_others(original, result)
    sides = _measured([original, result], data, progress)
    answers = [_answers(one, data, progress) for one in sides]
    comparison = compared(answers[0], answers[1], truth=_truth(original, data))
    qualities = _qualities(comparison)
    needed = changes.rows_to_judge(comparison)
    reads = [name for name in data.inputs if name in data.test.columns and name in _reads(original)]
    report = ReportJson(
        format=FORMAT,
        predictor=predictor,
        task="outputs" if isinstance(answers[0], Vectors) else original.graph.task,
        recipe=recipe.document(),
        original=sides[0].document(qualities[0]),
        result=sides[1].document(qualities[1]),
        rows=data.test.height,
        speedup=speedup(sides[0].timing, sides[1].timing),
        agreement=comparison.agreement(),
        accuracy_change=comparison.change(),
        slice_rows=needed,
        slices=changes.slice_changes(comparison, slices_of(data), needed),
        changed=changes.changed_rows(data, reads, answers, comparison),
        notes={step: dict(found) for step, found in notes.items()},
        broken=[],
        machine=machine(),
    )
    return msgspec.structs.replace(report, broken=broken(report, recipe.budget))


def _refuse_others(original: Candidate, result: Candidate) -> None:
    before, after = original.graph, result.graph
    if (before.task, before.classes) != (after.task, after.classes):
        raise ModelError(
            f"result: {after.task} with classes {listing(after.classes)}; allowed: as the original, {before.task} with "
            f"{listing(before.classes)}; compress to a model that answers the same question"
        )


def _answers(side: _Measured, data: Data, progress: Progress) -> Answers:
    graph, serving = side.candidate.graph, side.serving
    rows = data.test.rechunk().write_ipc(None, compression="uncompressed").getbuffer()
    key = sha256(graph.onnx).hexdigest(), sha256(rows).hexdigest(), serving.runtime
    return kept_answers(key, lambda: answers_of(graph, serving.session, data.test, progress))


def _truth(original: Candidate, data: Data) -> NDArray[Any]:
    """What is right for each test row; nothing is, where a model has outputs of its own."""
    if original.graph.task == "outputs":
        return np.zeros(data.test.height)
    return data.targets(data.test)


def _reads(candidate: Candidate) -> set[str]:
    return {*candidate.graph.request, *candidate.graph.features}


@dataclass(frozen=True, slots=True)
class _Quality:
    """How good one of the two is."""

    accuracy: Interval
    metrics: dict[str, Interval]
    calibration: list[CalibrationBin]


def _qualities(comparison: Comparison) -> list[_Quality]:
    """Of the original and of the result."""
    parts = comparison.accuracies(), comparison.metrics(), comparison.calibration()
    return [_Quality(*side) for side in zip(*parts, strict=True)]


@dataclass(frozen=True, slots=True)
class _Measured:
    """What is known of a candidate without asking whether it is right.

    timing: in the runtime that was chosen.
    all:    in every one.
    work:   a row: what every node does; None: not known.
    """

    candidate: Candidate
    timing: Timing
    all: Sequence[Timing]
    constants: ConstantsOf
    work: Sequence[Sequence[Work]] | None
    peak_bytes: int

    @property
    def serving(self) -> Serving:
        return self.timing.serving

    def document(self, quality: _Quality) -> Side:
        onnx = self.candidate.graph.onnx
        parameters = parameters_of(self.constants)
        return Side(
            size_bytes=self.candidate.size_bytes,
            graph_bytes=len(onnx),
            compressed_bytes=len(zlib.compress(onnx)),
            parameters=parameters.count,
            zeros=parameters.zeros,
            operations=self._operations(),
            latency=self.timing.latency(),
            runtimes=[one.latency() for one in self.all],
            peak_bytes=self.peak_bytes,
            energy_mj=self._energy(),
            accuracy=quality.accuracy,
            metrics=quality.metrics,
            calibration=quality.calibration,
            numeric_class=self._numeric_class(),
        )

    def _operations(self) -> int | None:
        if self.work is None:
            return None
        return round(sum(one.operations for row in self.work for one in row) / len(self.work))

    def _energy(self) -> Interval | None:
        if self.work is None:
            return None
        rows = [energy_mj(row) for row in self.work]
        value, low, high = (sum(one) / len(rows) for one in zip(*((r.value, r.low, r.high) for r in rows), strict=True))
        return Interval(value, low, high)

    def _numeric_class(self) -> str:
        engine_class: Any = getattr(self.serving.session, "numeric_class", "exact")
        return self.candidate.numeric_class if engine_class == "exact" else str(engine_class)


def _measured(candidates: Sequence[Candidate], data: Data, progress: Progress) -> list[_Measured]:
    graphs = [one.graph for one in candidates]
    rows = typical(graphs[0], data.test, ROWS)
    requests = [requests_of(graph, rows) for graph in graphs]
    opened = [(place, one) for place, each in enumerate(candidates) for one in servings(each.graph, each.runtime)]
    found = timings([(serving, requests[place]) for place, serving in opened], _telling(progress))
    mine: list[list[Timing]] = [[] for _ in candidates]
    for (place, _), timing in zip(opened, found, strict=True):
        mine[place].append(timing)
    return [_of_candidate(*one, progress) for one in zip(candidates, mine, requests, strict=True)]


def _telling(progress: Progress) -> Callable[[int, int], None]:
    return lambda done, of: progress("measuring latency", done, of)


def _of_candidate(candidate: Candidate, found: Sequence[Timing], requests: Requests, progress: Progress) -> _Measured:
    best = chosen(candidate, found)
    progress("measuring memory", 0, None)
    constants = ConstantsOf(with_front(candidate.graph.onnx))  # which takes what the runtime is given
    return _Measured(
        candidate=candidate,
        timing=best,
        all=found,
        constants=constants,
        work=work_of(constants, _feeds(best.serving, requests)),
        peak_bytes=peak_bytes(candidate.graph, best.serving, requests),
    )


def _feeds(serving: Serving, requests: Requests) -> list[Feeds]:
    step = max(len(requests) // _COUNTED_ROWS, 1)
    return [serving.feeds(requests.part(place, 1)) for place in range(0, len(requests), step)]


def chosen(candidate: Candidate, found: Sequence[Timing]) -> Timing:
    """In the runtime that was asked for, else in the quickest; onnxruntime, if that is as quick but for the noise."""
    if candidate.runtime is not None:
        return next(one for one in found if one.serving.runtime == candidate.runtime)
    quickest = min(found, key=lambda one: one.median)
    reference = next(one for one in found if one.serving.runtime == REFERENCE_ENGINE)
    return reference if reference.median <= quickest.median * (1 + reference.latency().noise) else quickest
