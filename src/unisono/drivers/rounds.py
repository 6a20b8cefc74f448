"""Events and requests in one order, whole or some at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Order = NDArray[np.int32]
Rising = NDArray[np.int64] | NDArray[np.uint32]


def interleave(ingest: Rising, asked: Rising, *, offset: int = 0) -> Order:
    """Operations in log order: event i + offset as that, request i as ~i, events first at equal times.

    ingest, asked: never falling; times, or places in the log.
    """
    places = np.searchsorted(ingest, asked, side="right")
    order = np.empty(len(ingest) + len(asked), np.int32)
    asks = places + np.arange(len(asked))
    order[asks] = ~np.arange(len(asked), dtype=np.int32)
    folds = np.ones(len(order), np.bool_)
    folds[asks] = False
    order[folds] = np.arange(offset, offset + len(ingest), dtype=np.int32)
    return order


class Rounds:
    """Which events are fed, and which requests answered, in which round.

    ingests: the ingest times of each source's events, never falling.
    asked:   the times of the requests.
    batch:   events a round, over all sources.
    """

    def __init__(self, ingests: Sequence[NDArray[np.int64]], asked: NDArray[np.int64], batch: int) -> None:
        merged = np.concatenate([*ingests, np.empty(0, np.int64)])
        in_order = np.argsort(merged, kind="stable")
        number = np.empty(len(merged), np.int64)
        number[in_order] = np.arange(len(merged)) // batch
        self._of_events = np.split(number, np.cumsum([len(ingest) for ingest in ingests])[:-1])
        # A request is answered in the round of the last event that it sees.
        seen = np.searchsorted(merged[in_order], asked, side="right")
        self._of_requests = np.maximum(seen - 1, 0) // batch
        self._requests = np.argsort(asked, kind="stable")
        self._in_order = self._of_requests[self._requests]
        self.count = int(max(number.max(initial=-1), self._of_requests.max(initial=-1))) + 1

    def of_source(self, index: int) -> NDArray[np.int64]:
        """The round of each event of a source."""
        return self._of_events[index]

    def requests_of(self, number: int) -> NDArray[np.int64]:
        """The rows of the requests that a round answers, by time."""
        first, last = np.searchsorted(self._in_order, (number, number + 1))
        return self._requests[first:last]
