"""The way of a request through a model: CPU microseconds a row, from decoded values to outputs, for few rows at a time.

LightGBM of 200 trees with 31 leaves, 30 numbers a request. unisono takes requests as its server decodes them, rows of
Python numbers, by both engines; onnxruntime alone and LightGBM itself take a matrix that is there already. Every answer
is compared before anything is timed. Rows vary, since a row that is asked again teaches the branch predictor its way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

import unisono as un
from benchmarks.engines import FEATURES, MODELS, PEERS_AGREE_WITHIN, fitted, matrix
from benchmarks.harness import finish, parser, say
from unisono.models import build_graph, import_model
from unisono.models.engines import open_session
from unisono.models.front_graph import with_front
from unisono.models.importers.base import ImportedModel
from unisono.models.row_encoder import RowEncoder
from unisono.models.session import open_native

BATCHES = (1, 4, 16, 64)
ROWS = 4096
COLUMNS = tuple(f"f{number:02}" for number in range(FEATURES))
TARGETS_US = {1: 15.0, 16: 4.0}
"""Rows -> CPU microseconds a row of the quicker engine."""

Row = tuple[float | None, ...]
Answer = Callable[[int, int], Any]
"""First row and number of rows -> the probabilities."""


def of_unisono(imported: ImportedModel, engine: str, rows: Sequence[Row]) -> Answer:
    """Requests through the encoder and an engine."""
    request = dict.fromkeys(COLUMNS, un.Float64)
    predictor = un.Predictor("wide", request=request, features=[], time="asked_at")
    graph = build_graph(predictor, [], imported, [])
    session = open_session(with_front(graph.onnx), engine)
    encoder = RowEncoder(graph, session.interface, request, [])
    nothing = np.empty((ROWS, 0))

    def answer(first: int, count: int) -> Any:
        asked = rows[first : first + count]
        return session.answer_directly(encoder.encode(asked, nothing[:count]), count)["probability"]

    return answer


def of_onnxruntime(imported: ImportedModel, numbers: NDArray[np.float64]) -> Answer:
    """The model's graph alone."""
    session = open_native(imported.graph)
    (name,) = [one.name for one in session.get_inputs()]
    return lambda first, count: session.run(["probability"], {name: numbers[first : first + count]})[0]


def of_library(classifier: Any, numbers: NDArray[np.float64]) -> Answer:
    """LightGBM with as little around it as it has."""
    booster = classifier.booster_
    return lambda first, count: booster.predict(numbers[first : first + count], num_threads=1)


def contestants() -> dict[str, Answer]:
    """Name -> what answers the same rows; the reference first."""
    classifier = fitted(MODELS[0], COLUMNS)
    imported = import_model(classifier, inputs=dict.fromkeys(COLUMNS, un.Float64))
    numbers = matrix(ROWS, 3)
    rows = [tuple(None if one != one else one for one in row) for row in numbers.tolist()]
    return {
        "onnxruntime alone": of_onnxruntime(imported, numbers),
        "unisono, onnxruntime": of_unisono(imported, "onnxruntime", rows),
        "unisono, trees": of_unisono(imported, "trees", rows),
        "LightGBM": of_library(classifier, numbers),
    }


def agree(answers: dict[str, Answer]) -> None:
    """Ends the benchmark if somebody says something else."""
    reference = answers["onnxruntime alone"](0, 64)
    for name, answer in answers.items():
        says = np.concatenate([answer(row, 1) for row in range(64)])
        gap = float(np.abs(says - reference).max())
        if gap > (0.0 if name.startswith("unisono") else PEERS_AGREE_WITHIN):
            raise SystemExit(f"{name}: differs by {gap}")


def cpu_us(answer: Answer, batch: int) -> float:
    """CPU microseconds a row, of all threads."""
    starts = range(0, ROWS - batch, batch)
    begun = time.process_time()
    for first in starts:
        answer(first, batch)
    return (time.process_time() - begun) / (len(starts) * batch) * 1e6


def measure(answers: dict[str, Answer], batch: int, runs: int) -> dict[str, float]:
    """Medians of runs that the contestants take in turn, after one that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in answers}
    for turn in range(runs + 1):
        for name, answer in answers.items():
            found = cpu_us(answer, batch)
            if turn:
                taken[name].append(found)
    return {name: round(median(one), 2) for name, one in taken.items()}


def main() -> None:
    arguments = parser(str(__doc__), runs=7, workload=False).parse_args()
    answers = contestants()
    agree(answers)
    figures = {}
    for batch in BATCHES:
        figures[batch] = measure(answers, batch, arguments.runs)
        say(f"  {batch} rows at a time: {figures[batch]}")
    result = {
        "benchmark": "one_row",
        "runs": arguments.runs,
        "cpu_us_a_row": {str(batch): one for batch, one in figures.items()},
        "targets_us": {str(batch): most for batch, most in TARGETS_US.items()},
        "met": all(figures[batch]["unisono, trees"] <= most for batch, most in TARGETS_US.items()),
    }
    finish(result, as_json=arguments.json)


if __name__ == "__main__":
    main()
