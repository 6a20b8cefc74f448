"""What is known about requests at their times: states read where they lie in LMDB, evaluated by the kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import time_ns
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.scores import Row
from unisono.kernel import Reader
from unisono.spec.errors import InputError
from unisono.store.states import Snapshot, encode_key

Matrix = NDArray[np.float64]


class States(Protocol):
    """The states of some views; see `store.states.StateStore`."""

    def snapshot(self) -> Snapshot:
        """As they are now. Raises StoreError or StateError while they cannot be read."""
        ...


class Known(msgspec.Struct, frozen=True, gc=False):
    """What is known about some requests.

    rows:     the requests, each with its time.
    times:    microseconds since 1970, UTC: the instants they are evaluated at.
    features: float64, requests x features, null by its payload.
    position: of the log: what was known.
    """

    rows: Sequence[Row]
    times: Sequence[int]
    features: Matrix
    position: int


def now_us() -> int:
    """The server's clock in microseconds."""
    return time_ns() // 1000


class StateReader:
    """Features of one key at one instant, from the states of a predictor's views. For one thread.

    store: of the states of the views.
    plan:  says which views there are, and which columns of a request are their keys.
    """

    def __init__(self, store: States, plan: OnlinePlan) -> None:
        self.store = store
        self._readers = {view.name: Reader(view.plan) for view in plan.views}
        places = {column: place for place, column in enumerate(plan.columns)}
        self._views = []
        start = 0
        for view in plan.views:
            end = start + len(view.plan.outputs)
            key = tuple(places[column] for column in view.key)
            self._views.append((view.name, key, self._readers[view.name], slice(start, end)))
            start = end
        self.width = start

    def features(self, view: str, key: Sequence[str | int], time: int) -> Matrix:
        """One view's features: float64, null by its payload.

        key:  the values of the key columns; Timestamp in microseconds, Decimal in its last places.
        time: microseconds since 1970, UTC.
        """
        with self.store.snapshot() as snapshot:
            return self._readers[view].read(snapshot.state(view, encode_key(key)) or b"", time)

    def matrix(self, snapshot: Snapshot, rows: Sequence[Row], times: Sequence[int]) -> Matrix:
        """The features of all views for some requests, from one snapshot: float64, requests x features."""
        features = np.empty((len(rows), self.width))
        if self._views:
            for row, time, out in zip(rows, times, features, strict=True):
                self._put(snapshot, row, time, out)
        return features

    def _put(self, snapshot: Snapshot, row: Row, time: int, out: Matrix) -> None:
        for view, places, reader, columns in self._views:
            key = encode_key([key_value(row[place]) for place in places])
            out[columns] = reader.read(snapshot.state(view, key) or b"", time)


def key_value(value: object) -> str | int:
    """A request's value as keys have it: text, or a whole number."""
    return value if isinstance(value, str) else int(value or 0)  # type: ignore[call-overload]


class Lookup:
    """What is known about requests of one predictor, at their times. For one thread.

    reader: of the states of its views.
    plan:   of the predictor.
    clock:  gives microseconds, for requests that do not say their time.
    """

    def __init__(self, reader: StateReader, plan: OnlinePlan, *, clock: Callable[[], int] = now_us) -> None:
        self._reader = reader
        self._plan = plan
        self._clock = clock
        self._time = list(plan.columns).index(plan.time)

    def apart(self) -> Lookup:
        """The same for another thread."""
        return Lookup(StateReader(self._reader.store, self._plan), self._plan, clock=self._clock)

    def known(self, rows: Sequence[Row], given: Matrix | None = None) -> Known:
        """What is known about some requests, all from the state of one commit.

        given: the features, if whoever asks has them: float64, rows x features, null by its payload.

        Raises InputError if one asks about a time that lies before the log's.
        """
        with self._reader.store.snapshot() as snapshot:
            commit = snapshot.commit
            timed, times = self._timed(rows, commit.time)
            features = self._reader.matrix(snapshot, timed, times) if given is None else given
        return Known(timed, times, features, commit.position)

    def _timed(self, rows: Sequence[Row], known_time: int) -> tuple[Sequence[Row], Sequence[int]]:
        """The requests, each with its time, and these times. Those that do not say theirs are asked now."""
        place = self._time
        now = max(self._clock(), known_time)  # a clock that is behind the log asks about the log's time
        timed: list[Row] = []
        times: list[int] = []
        for row in rows:
            asked = row[place]
            if not isinstance(asked, int):
                asked = now
                row = (*row[:place], now, *row[place + 1 :])
            elif asked < known_time:
                raise InputError(self._too_old(asked, known_time))
            timed.append(row)
            times.append(asked)
        return timed, times

    def together(self, asked: Sequence[Sequence[Row]]) -> tuple[Known, list[Known]]:
        """What is known about the requests of several askers, all from the state of one commit: of all, and of each.

        Raises what `known` does. Cost: 2 us an asker less than one by one.
        """
        whole = self.known([row for rows in asked for row in rows])
        timed, times, features = whole.rows, whole.times, whole.features
        each: list[Known] = []
        start = 0
        for rows in asked:
            end = start + len(rows)
            each.append(Known(timed[start:end], times[start:end], features[start:end], whole.position))
            start = end
        return whole, each

    def _too_old(self, time: int, known: int) -> str:
        return (
            f"request to {self._plan.name}: {self._plan.time}: {np.datetime64(time, 'us')}Z lies before the log's "
            f"time; allowed: {np.datetime64(known, 'us')}Z or later: what came after the request is already in the "
            "state; leave the time out, or ask the batch driver"
        )
