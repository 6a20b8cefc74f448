"""One request's way through this process: what was looked up, what each stage took, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec

from unisono.drivers.online.plan import OnlinePlan, OnlineView, plan_of
from unisono.drivers.online.reading import Known, Lookup, StateReader, key_value
from unisono.drivers.online.requests import RequestDecoder
from unisono.drivers.scores import Outputs, Row, ScoresRows
from unisono.drivers.serving.calls import Answered
from unisono.drivers.serving.states import ServedStates, states_of
from unisono.drivers.serving.wire.instants import datetime_of
from unisono.drivers.serving.wire.predict import encode_one
from unisono.kernel import Reader
from unisono.kernel.codec import nulls
from unisono.spec.errors import InputError
from unisono.spec.wording import listing
from unisono.store.states import Snapshot, encode_key

if TYPE_CHECKING:
    from rich.console import RenderableType

    from unisono.drivers.project import Project


@dataclass(frozen=True, slots=True)
class ViewLook:
    """What one view knew.

    key:         column -> value; Timestamp in microseconds, Decimal in its last places.
    found:       whether there is a state of this key; without one the features are those of no events.
    state_bytes: size of the state.
    took_us:     to fetch the state and to evaluate it at the request's time.
    features:    name -> value; None is null.
    """

    view: str
    key: Mapping[str, str | int]
    found: bool
    state_bytes: int
    took_us: float
    features: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a request was answered.

    version:  id of the version that answered.
    position: of the log: what was known.
    time:     the instant it was evaluated at, UTC.
    took_us:  stage -> microseconds, of a process that has answered before.
    views:    what was looked up, in order.
    answer:   as the caller gets it.
    """

    predictor: str
    version: str
    position: int
    time: datetime
    took_us: Mapping[str, float]
    views: Sequence[ViewLook]
    answer: Mapping[str, Any]

    def as_json(self) -> bytes:
        """One line. A feature that is NaN or infinite is null, as JSON has it."""
        return msgspec.json.encode(self)

    def shown(self) -> Iterator[RenderableType]:
        """For people, one under the other: the stages, the views with their features, the answer."""
        when = f"at {self.time:%Y-%m-%dT%H:%M:%S.%fZ}, position {self.position}"
        yield f"{self.predictor}, version {self.version}, {when}"
        yield _table("stage", "us", {stage: f"{took_us:.1f}" for stage, took_us in self.took_us.items()})
        for view in self.views:
            key = ", ".join(f"{column} = {value}" for column, value in view.key.items())
            state = f"{view.state_bytes} bytes" if view.found else "no state: nothing has happened to this key"
            yield f"{view.view}: {key}; {state}; {view.took_us:.1f} us"
            features = {name: "null" if value is None else f"{value:g}" for name, value in view.features.items()}
            yield _table("feature", "value", features)
        yield _table("output", "value", self.answer["prediction"])


def _table(left: str, right: str, rows: Mapping[str, object]) -> RenderableType:
    from rich.table import Table

    table = Table(left)
    table.add_column(right, justify="right")
    for name, value in rows.items():
        table.add_row(name, str(value))
    return table


def explain(project: Project, predictor: str | None, body: bytes) -> Explanation:
    """How the champion answers a request, in this process and without a server.

    predictor: its name; None: the only one that has a version.
    body:      one request as JSON.

    Raises InputError for a request that does not fit or a predictor that there is none of, StoreError if there is no
    version or no state yet.
    """
    name = _only(project.answering) if predictor is None else predictor
    plan = plan_of(project.ready(name))
    states = states_of(project.state_path(name), plan.identities)
    scorer = project.scorer(name).of_rows(plan.columns)
    explained = _Explained(plan, states, scorer)
    explained.answer(body)  # the first time is no measure
    return explained.answer(body)


def _only(names: Sequence[str]) -> str:
    if len(names) != 1:
        raise InputError(f"no predictor was named; allowed: {listing(names)}; name one: --predictor NAME")
    return names[0]


class _Explained:
    """One predictor, step by step."""

    def __init__(self, plan: OnlinePlan, states: ServedStates, scorer: ScoresRows) -> None:
        self._plan = plan
        self._states = states
        self._scorer = scorer
        self._decoder = RequestDecoder(plan)
        self._lookup = Lookup(StateReader(states, plan), plan)
        self._readers = {view.name: Reader(view.plan) for view in plan.views}
        self._took_us: dict[str, float] = {}

    def answer(self, body: bytes) -> Explanation:
        with self._timed("decode"):
            row = self._decoder.decode(body)
        with self._timed("features"):
            known = self._lookup.known([row])
        with self._timed("model"):
            outputs = self._scorer.score_rows(known.rows, known.features)
        with self._timed("encode"):
            response = encode_one(self._answered(outputs, known))
        return Explanation(
            self._plan.name,
            self._scorer.version.id,
            known.position,
            datetime_of(known.times[0]),
            {**self._took_us, "total": sum(self._took_us.values())},
            self._looks(known.rows[0], known.times[0]),
            msgspec.json.decode(response.body),
        )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        began_s = perf_counter()
        yield
        self._took_us[stage] = (perf_counter() - began_s) * 1e6

    def _answered(self, outputs: Outputs, known: Known) -> Answered:
        return Answered(outputs, self._scorer.version.id, known.position, known.times)

    def _looks(self, row: Row, time: int) -> list[ViewLook]:
        values = dict(zip(self._plan.columns, row, strict=True))
        with self._states.snapshot() as snapshot:
            return [self._look(snapshot, view, values, time) for view in self._plan.views]

    def _look(self, snapshot: Snapshot, view: OnlineView, values: Mapping[str, Any], time: int) -> ViewLook:
        key = {column: key_value(values[column]) for column in view.key}
        began_s = perf_counter()
        state = snapshot.state(view.name, encode_key(list(key.values())))
        features = self._readers[view.name].read(state or b"", time).reshape(-1)
        took_us = (perf_counter() - began_s) * 1e6
        shown = [None if missing else float(value) for value, missing in zip(features, nulls(features), strict=True)]
        names = self._names(view)
        size = 0 if state is None else len(state)
        return ViewLook(view.name, key, state is not None, size, took_us, dict(zip(names, shown, strict=True)))

    def _names(self, view: OnlineView) -> Sequence[str]:
        prefix = f"{view.name}__"
        return [name for name in self._plan.features if name.startswith(prefix)]
