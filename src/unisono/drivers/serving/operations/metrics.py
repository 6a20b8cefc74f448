"""Counting, in a worker: an entry in a list a request; some hundreds at a time they become numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from unisono.drivers.serving.batches import Batch
from unisono.drivers.serving.calls import STAGES, Call
from unisono.drivers.serving.exchange import Request, Response
from unisono.drivers.serving.http.connections import Counts
from unisono.drivers.serving.operations.meter import PROTOCOLS, about
from unisono.drivers.serving.operations.tallies import (
    BOUNDS_S,
    CONNECTIONS,
    OF_PREDICTOR,
    OTHER_STATUS,
    SIZES,
    STATUSES,
    TIMED,
    Tally,
)

if TYPE_CHECKING:
    from unisono.drivers.serving.http.server import HttpServer

_MOST = 512
_BOUNDS_S = np.array(BOUNDS_S)
_STAGES = np.arange(len(TIMED))
_WIDTH = OF_PREDICTOR.itemsize // 8
_UNTIMED = [0.0] * len(STAGES)


def _offset(field: str) -> int:
    """The first number of a field in a predictor's record."""
    assert OF_PREDICTOR.fields is not None
    return int(OF_PREDICTOR.fields[field][1]) // 8


_REQUESTS, _SECONDS, _SECONDS_SUM = _offset("requests"), _offset("seconds"), _offset("seconds_sum")


class RequestCounter:
    """Counts requests and what they took; a `Meter`. For the loop's thread.

    tally: the worker's.
    """

    def __init__(self, tally: Tally) -> None:
        self._numbers = tally.numbers
        self._places = {name: place for place, name in enumerate(tally.names)}
        self._known: dict[tuple[str, str, int], int] = {}
        self._where: list[int] = []  # a number a request: the one that counts its answer
        self._took_s: list[float] = []  # of TIMED, a request after the other

    def answered(self, protocol: str, request: Request, response: Response, call: Call | None, version: str) -> None:
        """See `Meter`."""
        name = call.predictor if call is not None else about(request.path, self._places)
        key = (name, protocol, response.status)
        where = self._known.get(key)
        if where is None:
            where = self._known[key] = self._find(*key)
        self._where.append(where)
        took_s = self._took_s
        took_s += call.spent_s if call is not None else _UNTIMED
        took_s.append(perf_counter() - request.began_s)
        if len(self._where) >= _MOST:
            self.tick()

    def _find(self, name: str, protocol: str, status: int) -> int:
        place = self._places.get(name, len(self._places) - 1)
        column = STATUSES.index(status if status in STATUSES else OTHER_STATUS)
        return place * _WIDTH + _REQUESTS + PROTOCOLS.index(protocol) * len(STATUSES) + column

    def tick(self) -> None:
        """Count what was told. To be called a few times a second."""
        if not self._where:
            return
        told, spent_s = self._where, self._took_s
        self._where, self._took_s = [], []
        where, took_s = np.array(told), np.array(spent_s).reshape(-1, len(TIMED))
        np.add.at(self._numbers, where, 1.0)
        records = (where // _WIDTH * _WIDTH)[:, None]
        buckets = records + _SECONDS + _STAGES * (len(BOUNDS_S) + 1) + _BOUNDS_S.searchsorted(took_s)
        was = took_s != 0.0  # a stage that never was is not one that took no time
        # Flat, and floats to floats: anything else takes numpy ten times as long.
        np.add.at(self._numbers, buckets.ravel(), was.astype(np.float64).ravel())
        np.add.at(self._numbers, (records + _SECONDS_SUM + _STAGES).ravel(), took_s.ravel())


class BatchCounter:
    """Counts batches and rows; a `Watcher`. For the loop's thread.

    tally: the worker's.
    """

    def __init__(self, tally: Tally) -> None:
        self._records = tally.predictors
        self._ids = tally.ids
        self._places = {name: place for place, name in enumerate(tally.names)}
        self._waiting: list[tuple[str, str, int]] = []

    def answered(self, predictor: str, batch: Batch) -> None:
        """See `Watcher`."""
        known = batch.known
        rows = len(known[0].times) if len(known) == 1 else sum([len(one.times) for one in known])
        if batch.shadow:
            self._records["shadow_rows"][self._places[predictor]] += rows
            return
        if batch.outputs is None:
            failed = self._failed(batch)
            self._records["failed_rows"][self._places[predictor]] += failed
            rows -= failed
        if rows:
            self._waiting.append((predictor, batch.answers.id, rows))
        if len(self._waiting) >= _MOST:
            self.tick()

    def _failed(self, batch: Batch) -> int:
        """Rows of calls that the model failed on when it was asked for them alone."""
        outcomes = zip(batch.known, batch.alone, strict=True)
        return sum(len(known.times) for known, outcome in outcomes if isinstance(outcome, Exception))

    def tick(self) -> None:
        """Count what was seen. To be called a few times a second."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        places = np.array([self._places[name] for name, _, _ in waiting])
        rows = np.array([size for _, _, size in waiting], np.float64)
        np.add.at(self._records["rows"], places, rows)
        np.add.at(self._records["sizes"], (places, np.searchsorted(SIZES, rows)), 1.0)
        of_version: dict[tuple[str, str], int] = {}
        for name, version, size in waiting:
            of_version[name, version] = of_version.get((name, version), 0) + size
        for (name, version), size in of_version.items():
            self._count_version(self._places[name], version.encode(), size)

    def _count_version(self, place: int, version: bytes, rows: int) -> None:
        """Of more versions than there is room for, the one that came first is forgotten."""
        ids, counts = self._ids[place], self._records["version_rows"][place]
        found = np.flatnonzero(ids == version)
        free = np.flatnonzero(ids == b"")
        if len(found):
            column = found[0]
        elif len(free):
            column = free[0]
        else:
            ids[:-1], counts[:-1] = ids[1:].copy(), counts[1:].copy()
            column = len(ids) - 1
        if not len(found):
            ids[column], counts[column] = version, 0.0
        counts[column] += rows


class Load(NamedTuple):
    """How a predictor is doing in a worker.

    waiting_rows: rows that wait, and wait_s: for how long one that came now would.
    versions:     how many are loaded, and size_bytes: what they take.
    """

    predictor: str
    waiting_rows: int
    wait_s: float
    versions: int
    size_bytes: int


class Memory(NamedTuple):
    """What a worker has loaded.

    evictions:   versions that had to leave since it started.
    copies_lost: copies for shadows that there was no room for, since it started.
    loads:       of all predictors.
    """

    evictions: int
    copies_lost: int
    loads: Sequence[Load]


class MemoryCounter:
    """Notes what a worker has loaded, and what waits for it.

    tally:  the worker's.
    memory: asked at each tick.
    """

    def __init__(self, tally: Tally, memory: Callable[[], Memory]) -> None:
        self._tally = tally
        self._places = {name: place for place, name in enumerate(tally.names)}
        self._memory = memory
        self._before = Memory(0, 0, ())

    def tick(self) -> None:
        """To be called about once a second."""
        memory, before = self._memory(), self._before
        self._before = memory
        self._tally.count("evictions", memory.evictions - before.evictions)
        self._tally.count("copies_lost", memory.copies_lost - before.copies_lost)
        for load in memory.loads:
            record = self._tally.predictors[self._places[load.predictor]]
            record["waiting_rows"], record["wait_s"] = load.waiting_rows, load.wait_s
            record["versions"], record["size_bytes"] = load.versions, load.size_bytes


class ConnectionCounter:
    """Notes what has become of connections.

    tally:  the worker's.
    server: that has them.
    """

    def __init__(self, tally: Tally, server: HttpServer) -> None:
        self._tally = tally
        self._server = server
        self._before = Counts()

    def tick(self) -> None:
        """To be called about once a second."""
        counts, before = self._server.counts, self._before
        self._before = replace(counts)
        self._tally.worker["connections"] = self._server.connections
        for name in CONNECTIONS:
            self._tally.count(name, getattr(counts, name) - getattr(before, name))
