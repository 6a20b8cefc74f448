"""The online driver: state read where it lies in LMDB, evaluated at the request's time, through the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import time_ns
from typing import Any

import numpy as np

from unisono.drivers.predictors import ReadyPredictor
from unisono.drivers.requests import RequestDecoder
from unisono.drivers.scores import Scores, Value
from unisono.drivers.views import ReadyView
from unisono.features.answers import Matrix
from unisono.kernel import Reader
from unisono.spec.errors import InputError
from unisono.spec.types import Decimal
from unisono.store.states import Snapshot, StateStore, encode_key


class StateReader:
    """Features of one key at one instant, from the states of some views. For one thread.

    store: with the states of the views.
    views: whose features are read.
    """

    def __init__(self, store: StateStore, views: Sequence[ReadyView]) -> None:
        self._store = store
        self._readers = {view.name: Reader(view.plan.plan) for view in views}
        self._ranges = [
            (view.name, view.plan.view.key, self._readers[view.name], slice(end - len(view.plan.names), end))
            for view, end in zip(views, np.cumsum([len(view.plan.names) for view in views]).tolist(), strict=True)
        ]
        self._width = sum(len(view.plan.names) for view in views)

    def features(self, view: str, key: Sequence[str | int], time: int) -> Matrix:
        """One view's features: float64, null by its payload.

        key:  the values of the key columns; Timestamp in microseconds, Decimal in its last places.
        time: microseconds since 1970, UTC.
        """
        with self._store.snapshot() as snapshot:
            return self._readers[view].read(snapshot.state(view, encode_key(key)) or b"", time)

    def row(self, snapshot: Snapshot, request: Mapping[str, Value], time: int) -> Matrix:
        """The features of all views: float64, 1 x features, from one snapshot."""
        row = np.empty((1, self._width))
        for view, columns, reader, place in self._ranges:
            key = encode_key([_of_key(request[column]) for column in columns])
            row[0, place] = reader.read(snapshot.state(view, key) or b"", time)
        return row


def _of_key(value: Value) -> str | int:
    """A request's value as keys have it: text, or a whole number."""
    return value if isinstance(value, str) else int(value or 0)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered.

    prediction: output name -> value.
    version:    id of the version that answered.
    position:   of the log: what was known.
    time:       microseconds since 1970, UTC: the instant it was evaluated at.
    features:   the feature row, 1 x features, null by its payload.
    """

    prediction: Mapping[str, Any]
    version: str
    position: int
    time: int
    features: Matrix


Note = Callable[[Mapping[str, Value], Answer], None]


def now_us() -> int:
    """The server's clock in microseconds."""
    return time_ns() // 1000


class OnlinePredictor:
    """Answers the requests of one predictor, one at a time. For one thread.

    ready:  the predictor.
    store:  with the states of its views, read afresh for each request.
    scorer: the version that answers.
    clock:  gives microseconds, for requests that do not say their time.
    note:   called with each request and its answer, e.g. `ServedLog.add`; None: nothing is noted.
    """

    def __init__(
        self,
        ready: ReadyPredictor,
        store: StateStore,
        scorer: Scores,
        *,
        clock: Callable[[], int] = now_us,
        note: Note | None = None,
    ) -> None:
        self.ready = ready
        self.store = store
        self.scorer = scorer
        self._clock = clock
        self._note = note
        self._decoder = RequestDecoder(ready.spec)
        self._reader = StateReader(store, ready.views)
        self._powers = {
            name: 10**dtype.places for name, dtype in ready.spec.columns.items() if isinstance(dtype, Decimal)
        }

    def answer(self, body: bytes) -> Answer:
        """The answer to one request as JSON. Raises InputError for a request that does not fit."""
        return self.predict(self._decoder.decode(body))

    def predict(self, request: dict[str, Value]) -> Answer:
        """The answer to one request as `RequestDecoder` gives it."""
        column = self.ready.spec.time
        with self.store.snapshot() as snapshot:
            commit = snapshot.commit
            time = request[column]
            if not isinstance(time, int):  # a clock that is behind the log asks about the log's time
                time = max(self._clock(), commit.time)
            if time < commit.time:
                raise InputError(_too_old(self.ready.name, column, time, commit.time))
            features = self._reader.row(snapshot, request, time)
        request[column] = time
        outputs = self.scorer.score_row(self._with_floats(request) if self._powers else request, features)
        prediction = {name: values[:1].tolist()[0] for name, values in outputs.items()}
        answer = Answer(prediction, self.scorer.version.id, commit.position, time, features)
        if self._note is not None:
            self._note(request, answer)
        return answer

    def _with_floats(self, request: Mapping[str, Value]) -> Mapping[str, Value]:
        """Decimals as the graph takes them: rounded once."""
        digits = {name: request[name] for name in self._powers}
        floats = {name: None if one is None else int(one) / self._powers[name] for name, one in digits.items()}
        return {**request, **floats}


def _too_old(predictor: str, column: str, time: int, known: int) -> str:
    return (
        f"request to {predictor}: {column}: {np.datetime64(time, 'us')}Z lies before the log's time; "
        f"allowed: {np.datetime64(known, 'us')}Z or later: what came after the request is already in the state; "
        "leave the time out, or ask the batch driver"
    )
