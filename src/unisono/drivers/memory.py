"""Features of frames in memory: no project, no files, no server. For notebooks, tests and other people's checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.connect.stored import StoredParquet
from unisono.drivers.cores import usable_cores
from unisono.drivers.rounds import Order, Rounds, interleave
from unisono.drivers.views import Deriving, ReadyView, by_source, make_ready
from unisono.features import answers, keys
from unisono.features.answers import Matrix
from unisono.features.compile import events_for
from unisono.features.frames import EventTable, RequestTable, is_rising
from unisono.kernel import Requests, States, order_by_key
from unisono.spec.errors import DefinitionError, InputError
from unisono.spec.view import FeatureView
from unisono.spec.wording import did_you_mean, listing, quoted

_WORTH_THREADS = 200_000  # operations; starting threads costs as much as replaying a few thousand


def point_in_time(
    views: Sequence[FeatureView], requests: object, events: Mapping[str, object], *, time: str
) -> pl.DataFrame:
    """Each request with its features as they were known at its time: a training frame without leaks.

    views:    the features, in the order of their columns.
    requests: a frame with the views' key columns and `time`; anything with Arrow's PyCapsule interface.
    events:   source name -> frame with the columns of that source, in any order; rows of equal ingest time count in
              the order of the frame. Or the path of a Parquet file: then only the columns that are needed are read,
              one at a time, and none is kept, which takes half the memory.
    time:     the requests' column with the time of asking. A request sees what was ingested at or before it.

    Returns every request column, then the features, a row a request, in the requests' order.
    Raises DefinitionError, InputError. Cost: one pass over the events a view, by key, on all cores.

    >>> from datetime import UTC, datetime
    >>> import unisono as un
    >>> taps = un.Source("taps", {"user": un.String, "cents": un.Int64}, event_time="at", ingest_time="known_at")
    >>> view = un.FeatureView("by_user", taps, key="user", windows="1h", aggregations=un.sum("cents"))
    >>> noon, half_past, one = (datetime(2024, 5, 1, *time, tzinfo=UTC) for time in ((12,), (12, 30), (13,)))
    >>> events = pl.DataFrame({"user": "ada", "cents": [5, 7], "at": [noon, noon], "known_at": [noon, one]})
    >>> asked = pl.DataFrame({"user": "ada", "asked_at": [half_past, one]})
    >>> point_in_time([view], asked, {"taps": events}, time="asked_at")["by_user__cents_sum_1h"].to_list()
    [5.0, 0.0]
    """
    return join_features(make_ready(_named_once(views)), RequestTable(requests, time), events)


def join_features(ready: Sequence[ReadyView], asked: RequestTable, events: Mapping[str, object]) -> pl.DataFrame:
    """`point_in_time` of views that are ready."""
    _check_names(asked, ready)
    columns: dict[str, list[pl.Series]] = {}
    for source, of_source in by_source(ready).items():
        columns.update(_columns_of(of_source, _table(source, of_source[0], events), asked))
    return asked.frame.hstack([column for view in ready for column in columns[view.name]])


def _columns_of(views: Sequence[ReadyView], table: EventTable, asked: RequestTable) -> dict[str, list[pl.Series]]:
    deriving = Deriving(table)
    return {
        view.name: answers.feature_columns(view.plan.names, features_of(view, deriving.for_view(view), asked))
        for view in views
    }


def stream(
    views: Sequence[FeatureView], requests: object, events: Mapping[str, object], *, time: str, batch: int = 1
) -> Iterator[pl.DataFrame]:
    """The same features, from events that are fed in log order, some at a time, as the stream driver does.

    views, requests, events, time: as `point_in_time` takes them.
    batch: how many events are fed at a time, at least 1; it changes when answers come, never what they are.

    Yields frames of answered requests, in the order of their times. Their union equals `point_in_time`, bit for bit.
    Raises DefinitionError, InputError.

    >>> from datetime import UTC, datetime
    >>> import unisono as un
    >>> taps = un.Source("taps", {"user": un.String}, event_time="at")
    >>> view = un.FeatureView("by_user", taps, key="user", windows="1h", aggregations=un.count())
    >>> times = [datetime(2024, 5, 1, 12, minute, tzinfo=UTC) for minute in (0, 10, 20)]
    >>> events = pl.DataFrame({"user": "ada", "at": times})
    >>> asked = pl.DataFrame({"user": "ada", "asked_at": times[:2]})
    >>> [frame["by_user__count_1h"].to_list() for frame in stream([view], asked, {"taps": events}, time="asked_at")]
    [[1.0], [2.0]]
    """
    if batch < 1:
        raise InputError(f"batch: {quoted(batch)}; allowed: a whole number from 1; leave it out")
    ready = make_ready(_named_once(views))
    asked = RequestTable(requests, time)
    _check_names(asked, ready)
    grouped = by_source(ready)
    derivings = {source: Deriving(_table(source, of[0], events)) for source, of in grouped.items()}
    rounds = Rounds([deriving.table.ingest for deriving in derivings.values()], asked.time, batch)
    feeds = {
        view.name: _Feed(view, derivings[source].for_view(view), asked, rounds.of_source(index))
        for index, (source, of) in enumerate(grouped.items())
        for view in of
    }
    return _rounds(ready, asked, rounds, feeds)


def _rounds(
    ready: Sequence[ReadyView], asked: RequestTable, rounds: Rounds, feeds: Mapping[str, _Feed]
) -> Iterator[pl.DataFrame]:
    for number in range(rounds.count):
        rows = rounds.requests_of(number)
        columns = [
            column
            for view in ready
            for column in answers.feature_columns(view.plan.names, feeds[view.name].answer(number, rows))
        ]
        if len(rows):
            yield asked.frame[pl.Series(rows)].hstack(columns)


class _Feed:
    """One view in a stream: its states, and its part of each round."""

    def __init__(self, view: ReadyView, table: EventTable, asked: RequestTable, rounds: NDArray[np.int64]) -> None:
        event_codes, request_codes, slots = keys.encode(table.keys(view.plan.keys), asked.keys(view.plan.keys))
        self._states = States(view.plan.plan, slots)
        self._events = events_for(view.plan, table, event_codes)
        self._request_codes, self._asked, self._rounds = request_codes, asked.time, rounds

    def answer(self, number: int, rows: NDArray[np.int64]) -> Matrix:
        """Feed the events of a round, answer its requests where they stand among them."""
        first, last = np.searchsorted(self._rounds, (number, number + 1))
        requests = Requests(self._request_codes[rows], self._asked[rows])
        order = interleave(self._events.ingest[first:last], requests.time, offset=int(first))
        return self._states.replay(self._events, requests, order, emit="requests")


def features_of(view: ReadyView, table: EventTable, asked: RequestTable) -> Matrix:
    """One view's features of all requests: float64, requests x features, null by its payload."""
    event_codes, request_codes, slots = keys.encode(table.keys(view.plan.keys), asked.keys(view.plan.keys))
    requests = Requests(request_codes, asked.time)
    order, begins = _by_key(table, event_codes, requests, slots)
    batch = events_for(view.plan, table, event_codes)
    matrix = np.empty((len(asked), len(view.plan.names)))

    def replay(piece: Order) -> None:
        States(view.plan.plan, reuse=True).replay(batch, requests, piece, emit="requests", answers=matrix)

    pieces = _pieces(order, begins)
    if len(pieces) == 1:
        replay(order)
        return matrix
    with ThreadPoolExecutor(len(pieces)) as pool:  # the kernel lets go of the interpreter's lock
        list(pool.map(replay, pieces))
    return matrix


def _by_key(table: EventTable, event_codes: keys.Codes, requests: Requests, slots: int) -> tuple[Order, Order]:
    """Operations sorted by key; requests keep their own numbers, in whatever order they came."""
    if is_rising(requests.time):
        return order_by_key(event_codes, table.ingest, requests.key, requests.time, slots)
    by_time = np.argsort(requests.time, kind="stable").astype(np.int32)
    order, begins = order_by_key(event_codes, table.ingest, requests.key[by_time], requests.time[by_time], slots)
    asks = order < 0
    order[asks] = ~by_time[~order[asks]]
    return order, begins


def _pieces(order: Order, begins: Order) -> list[Order]:
    """The operations in about equal pieces, one a core, never parting a key."""
    cores = usable_cores() if len(order) >= _WORTH_THREADS else 1
    targets = np.linspace(0, len(order), cores + 1)[1:-1]
    cuts = begins[np.searchsorted(begins, targets)]
    return [piece for piece in np.split(order, cuts) if len(piece)] or [order]


def _named_once(views: Sequence[FeatureView]) -> Sequence[FeatureView]:
    names = [view.name for view in views]
    problems = [
        f"views: a second view {name}; allowed: one of each name; rename one of them"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    if problems:
        raise DefinitionError(problems)
    return views


def _check_names(asked: RequestTable, ready: Sequence[ReadyView]) -> None:
    for view in ready:
        for name in view.plan.names:
            if name in asked.frame.columns:
                raise asked.place.of(name).error("a feature has this name", "another name", "drop or rename the column")


def _table(source: str, view: ReadyView, events: Mapping[str, object]) -> EventTable:
    if source not in events:
        step = did_you_mean(source, events, otherwise=f'pass events={{"{source}": frame}}')
        allowed = f"one a source (seen: {listing(events)})"
        raise InputError(f"events: no frame for source {quoted(source)}; allowed: {allowed}; {step}")
    given = events[source]
    return EventTable(StoredParquet(Path(given)) if isinstance(given, str | Path) else given, view.source)
