"""One predictor over its stream's state, in this process: single requests, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.online.reading import Lookup, Matrix, StateReader, now_us
from unisono.drivers.online.requests import RequestDecoder
from unisono.drivers.scores import Row, ScoresRows
from unisono.store.states import StateStore


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


class OnlinePredictor:
    """Answers the requests of one predictor, one at a time. For one thread.

    plan:   of the predictor.
    store:  with the states of its views, read afresh for each request.
    scorer: the version that answers.
    clock:  gives microseconds, for requests that do not say their time.
    """

    def __init__(
        self, plan: OnlinePlan, store: StateStore, scorer: ScoresRows, *, clock: Callable[[], int] = now_us
    ) -> None:
        self.plan = plan
        self.store = store
        self.scorer = scorer
        self._decoder = RequestDecoder(plan)
        self._lookup = Lookup(StateReader(store, plan), plan, clock=clock)

    def answer(self, body: bytes) -> Answer:
        """The answer to one request as JSON. Raises InputError for a request that does not fit."""
        return self.predict(self._decoder.decode(body))

    def predict(self, row: Row) -> Answer:
        """The answer to one request as `RequestDecoder` gives it. Raises InputError for a time before the log's."""
        known = self._lookup.known([row])
        outputs = self.scorer.score_rows(known.rows, known.features)
        prediction = {name: values[:1].tolist()[0] for name, values in outputs.items()}
        return Answer(prediction, self.scorer.version.id, known.position, known.times[0], known.features)
