"""Golden rows as requests: what a version is tried with, and warmed up by, before it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.scores import Matrix, Outputs, Row
from unisono.models.golden import GoldenRows
from unisono.models.names import FEATURES, REQUEST, input_name, null_name
from unisono.models.predictor_graph import PredictorGraph
from unisono.models.row_encoder import RowEncoder, feature_numbers
from unisono.models.session import Session
from unisono.spec.types import Decimal, DType

Feeds = Mapping[str, NDArray[Any]]
Answering = Callable[[], Outputs]

_MOST_ROWS = 64
_TIMES = 3
_LONGEST_S = 0.05  # after a batch that takes longer there is no other


class GoldenRequests:
    """Golden rows in the form in which requests come; answers like a session, for `check_golden`.

    session:   that answers.
    encoder:   of its requests.
    are_texts: whether the graph reads texts as tokens: golden rows have only the tokens, so they are no requests.
    """

    def __init__(self, session: Session, encoder: RowEncoder, graph: PredictorGraph, plan: OnlinePlan) -> None:
        self._session, self._encoder, self._graph, self._plan = session, encoder, graph, plan
        self.inputs, self.outputs = session.inputs, session.outputs
        self.are_texts = bool(graph.tokenizers)

    def answer(self, feeds: Feeds) -> Outputs:
        """The answers to arrays as the registered graph takes them."""
        return self.batch(feeds)()

    def batch(self, feeds: Feeds) -> Answering:
        """The same, to be timed: the requests are made already."""
        return partial(self._score, self._rows(feeds), self._features(feeds))

    def _score(self, rows: list[Row], features: Matrix) -> Outputs:
        outputs: Outputs = self._session.answer_directly(self._encoder.encode(rows, features), len(rows))
        return outputs

    def _rows(self, feeds: Feeds) -> list[Row]:
        nothing = [None] * _count(feeds)
        values = [
            _values(feeds, name, dtype) if name in self._graph.request else nothing
            for name, dtype in self._plan.columns.items()
        ]
        return list(zip(*values, strict=True))

    def _features(self, feeds: Feeds) -> Matrix:
        features = np.full((_count(feeds), len(self._plan.features)), np.nan)
        if FEATURES in feeds:
            features[:, feature_numbers(self._graph.features, self._plan.features)] = feeds[FEATURES]
        return features


def _count(feeds: Feeds) -> int:
    return len(next(iter(feeds.values())))


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

    batch: what answers arrays as the registered graph takes them.
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
