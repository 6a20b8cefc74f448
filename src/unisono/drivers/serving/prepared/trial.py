"""Golden rows as requests: what a version is tried with, and warmed up by, before it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.scores import Matrix, Outputs, Row
from unisono.models.golden import GoldenRows
from unisono.models.golden_check import other_graph
from unisono.models.names import FEATURES, REQUEST, input_name, null_name
from unisono.models.predictor_graph import PredictorGraph
from unisono.models.row_encoder import feature_numbers
from unisono.models.session import Session
from unisono.spec.types import Decimal, DType

Feeds = Mapping[str, NDArray[Any]]
Answering = Callable[[], Outputs]
Score = Callable[[list[Row], Matrix], Outputs]

_NUMBER = "number"
_MOST_ROWS = 64
_TIMES = 3
_LONGEST_S = 0.05  # after a batch that takes longer there is no other


class GoldenRequests:
    """Golden rows in the form in which requests come. Answers like a session does, but is asked for rows by number.

    golden:  rows and answers, of a graph that reads no text as tokens: of such a text there are only the tokens.
    session: of the graph, and score: answers requests by it.

    Raises ModelError for golden rows of another graph.
    """

    def __init__(self, golden: GoldenRows, session: Session, score: Score, made_for: MadeFor) -> None:
        if set(golden.inputs) != set(session.inputs):
            raise other_graph()
        self._score = score
        self._rows = made_for.rows(golden)
        self._features = made_for.features(golden)
        self.inputs, self.outputs = (_NUMBER,), session.outputs
        self.golden = GoldenRows({_NUMBER: np.arange(golden.rows)}, golden.outputs)

    def answer(self, feeds: Feeds) -> Outputs:
        """The answers to some of the rows."""
        return self.batch(feeds)()

    def batch(self, feeds: Feeds) -> Answering:
        """The same, to be timed: the requests are there already."""
        numbers = feeds[_NUMBER]
        return partial(self._score, [self._rows[number] for number in numbers.tolist()], self._features[numbers])


class MadeFor(NamedTuple):
    """What requests are made for.

    graph: of the version, and plan: of its predictor.
    """

    graph: PredictorGraph
    plan: OnlinePlan

    def rows(self, golden: GoldenRows) -> list[Row]:
        """Requests that give the golden inputs; null in columns that the graph does not read."""
        nothing = [None] * golden.rows
        values = [
            _values(golden.inputs, name, dtype) if name in self.graph.request else nothing
            for name, dtype in self.plan.columns.items()
        ]
        return list(zip(*values, strict=True))

    def features(self, golden: GoldenRows) -> Matrix:
        """The features beside them, in the plan's order; NaN in those that the graph does not read."""
        features = np.full((golden.rows, len(self.plan.features)), np.nan)
        if FEATURES in golden.inputs:
            features[:, feature_numbers(self.graph.features, self.plan.features)] = golden.inputs[FEATURES]
        return features


def _values(feeds: Feeds, column: str, dtype: DType) -> list[Any]:
    name = input_name(REQUEST, column)
    array = feeds[name]
    values = list(array) if array.ndim > 1 else array.tolist()
    if isinstance(dtype, Decimal):
        values = [round(Fraction(one) * 10**dtype.places) for one in values]
    nulls = feeds.get(null_name(name))
    return values if nulls is None else [None if null else one for one, null in zip(values, nulls, strict=True)]


def warm_up(batch: Callable[[Feeds], Answering], golden: GoldenRows) -> list[tuple[int, float]]:
    """Rows and seconds of batches of 1, 2, 4, ... golden rows; the least of a few times, since the first is slow.

    batch: what answers inputs like those of the golden rows.
    """
    timings: list[tuple[int, float]] = []
    rows = 1
    while rows <= _MOST_ROWS and not (timings and timings[-1][1] > _LONGEST_S):
        places = np.arange(rows) % golden.rows
        answer = batch({name: one[places] for name, one in golden.inputs.items()})
        timings.append((rows, min(_seconds(answer) for _ in range(_TIMES))))
        rows *= 2
    return timings


def _seconds(answer: Answering) -> float:
    began_s = perf_counter()
    answer()
    return perf_counter() - began_s
