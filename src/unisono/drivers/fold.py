"""A predictor's feature state in memory, fed with the log block by block, as finely as one likes.

A block is prepared once (columns, keys, order), then run in steps. Between steps states can be taken out to be stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.connect.records import Block, Part
from unisono.drivers.ingest import request_topic, source_topic
from unisono.drivers.predictors import ReadyPredictor
from unisono.drivers.rounds import Order, interleave
from unisono.drivers.views import Deriving, ReadyView
from unisono.features import keys
from unisono.features.answers import Matrix
from unisono.features.compile import events_for
from unisono.features.frames import EventTable, RequestTable
from unisono.kernel import Events, Requests, States
from unisono.store.states import encode_key

Load = Callable[[str, bytes], bytes | memoryview | None]
"""View and key to the state stored for it."""

Places = NDArray[np.uint32]
Timed = tuple[Places, NDArray[np.int64]]
"""Places of rows in a block, and their times."""

MOST_KEYS = 2_000_000  # of one view in memory, before what is stored is let go of


class ViewFold:
    """One view's states by key.

    view: the view.
    load: gives a stored state when its key is first met; None: every key begins empty.
    """

    def __init__(self, view: ReadyView, load: Load | None) -> None:
        self.view = view
        self._load = load
        self.forget()

    def forget(self) -> None:
        """Let go of every state in memory; what is stored is loaded again when it is needed."""
        self._states = States(self.view.plan.plan)
        self._slots: dict[tuple[str | int, ...], int] = {}
        self._keys: list[bytes] = []
        self._touched: list[NDArray[np.int32]] = []

    def __len__(self) -> int:
        return len(self._keys)

    def slots_of(self, frame: pl.DataFrame) -> keys.Codes:
        """The slot of each row's key; new keys get new slots, with the state that is stored for them."""
        known, codes = keys.group(frame)
        slots = np.array([self._slot(key) for key in known.iter_rows()], np.int32)
        return slots[codes]

    def _slot(self, key: tuple[str | int, ...]) -> int:
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = len(self._keys)
            packed = encode_key(key)
            self._keys.append(packed)
            self._states.ensure_slots(slot + 1)
            stored = self._load(self.view.name, packed) if self._load else None
            if stored is not None:
                self._states.load(slot, stored)
        return slot

    def run(self, events: Events, requests: Requests, order: Order, answers: Matrix) -> None:
        """Fold and answer some operations; see `States.replay`."""
        self._states.replay(events, requests, order, emit="requests", answers=answers)
        folded = order[order >= 0] if len(requests) else order
        if len(folded):
            self._touched.append(events.key[folded])

    def take_changes(self, time: int) -> list[tuple[bytes, bytes]]:
        """Keys and states that changed since the last call, brought up to the log's time."""
        if not self._touched:
            return []
        slots = np.concatenate(self._touched)
        if len(slots) > 1:
            slots = np.unique(slots)
        self._touched.clear()
        self._states.advance(slots, time)
        return [(self._keys[slot], self._states.export(slot)) for slot in slots.tolist()]


@dataclass(slots=True)
class _ViewBlock:
    """One view's part of a block: operations in log order, and the place of each in the block."""

    fold: ViewFold
    events: Events
    requests: Requests
    order: Order
    places: Places
    answers: Matrix
    bounds: list[int] = field(default_factory=list)

    def cut(self, cuts: NDArray[np.int64]) -> None:
        self.bounds = np.searchsorted(self.places, cuts).tolist()

    def run(self, step: int) -> None:
        first, last = self.bounds[step], self.bounds[step + 1]
        if first < last:
            self.fold.run(self.events, self.requests, self.order[first:last], self.answers)


class OpenBlock:
    """A block of the log that is being run, step by step.

    block:    the block.
    requests: the predictor's requests in it, in log order.
    """

    def __init__(
        self, block: Block, views: Sequence[_ViewBlock], requests: Part | None, times: Sequence[Timed]
    ) -> None:
        self.block = block
        self.requests = pl.DataFrame() if requests is None else requests.frame
        self._places = np.empty(0, np.uint32) if requests is None else requests.offsets
        self._views = views
        self._times = [(places, moments) for places, moments in times if len(places)]
        self.cut([])

    def cut(self, places: Sequence[int]) -> None:
        """Say where steps end: before these places (rising); the last step ends with the block."""
        self._cuts = [0, *places, self.block.rows]
        cuts = np.array(self._cuts, np.int64)
        for view in self._views:
            view.cut(cuts)
        self._asked = np.searchsorted(self._places, cuts).tolist()
        self._known = _last_times(self._times, cuts)

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(self._cuts) - 1

    def run(self, step: int) -> None:
        """Fold the events and answer the requests of a step. Each step once, first to last."""
        for view in self._views:
            view.run(step)

    def asked_in(self, step: int) -> tuple[int, int]:
        """The number of the first request in a step, and the number after the last's."""
        return self._asked[step], self._asked[step + 1]

    def end_of(self, step: int) -> int:
        """The position in the log after a step."""
        return self.block.position + self._cuts[step + 1]

    def time_of(self, step: int) -> int:
        """The newest time up to the end of a step, of rows that this predictor knows; BEGINNING if there is none."""
        return self._known[step + 1]

    def positions(self, first: int, last: int) -> NDArray[np.int64]:
        """The places in the log of some requests."""
        return self._places[first:last].astype(np.int64) + self.block.position

    def features(self, first: int, last: int) -> Matrix:
        """The answers to some requests, once they were run: float64, requests x features of all views."""
        return np.hstack([np.empty((last - first, 0)), *(view.answers[first:last] for view in self._views)])

    @property
    def runs(self) -> list[tuple[int, int, int]]:
        """Requests with nothing between them: the place of the first, its number, and the number after the last's."""
        if not len(self._places):
            return []
        breaks = np.flatnonzero(np.diff(self._places) != 1) + 1
        numbers = [0, *breaks.tolist(), len(self._places)]
        return [(int(self._places[first]), first, last) for first, last in pairwise(numbers)]


BEGINNING = -(1 << 62)
"""Before every valid time."""


def _last_times(times: Sequence[Timed], cuts: NDArray[np.int64]) -> list[int]:
    newest = np.full(len(cuts), BEGINNING)
    for places, moments in times:
        rows = np.searchsorted(places, cuts)
        newest = np.maximum(newest, np.where(rows > 0, moments[np.maximum(rows, 1) - 1], BEGINNING))
    known: list[int] = newest.tolist()
    return known


class PredictorFold:
    """All views of a predictor over one log.

    ready: the predictor.
    load:  gives stored states; None: there are none.
    """

    def __init__(self, ready: ReadyPredictor, load: Load | None = None) -> None:
        self._ready = ready
        self._folds = [ViewFold(view, load) for view in ready.views]

    def open(self, block: Block, *, answers: bool = True) -> OpenBlock:
        """Prepare a block.

        answers: whether its requests are to be answered, or only its events folded.

        Raises InputError or StateError for rows or states that do not fit the definition.
        """
        parts = {part.topic: part for part in block.parts}
        requests = parts.get(request_topic(self._ready.name))
        asked = None if requests is None else RequestTable(requests.frame, self._ready.spec.time)
        tables = self._tables(parts)
        asks = (asked, requests) if answers and asked is not None and requests is not None else None
        views = [self._view_block(fold, parts, tables, asks) for fold in self._folds]
        times = [(parts[source_topic(name)].offsets, deriving.table.ingest) for name, deriving in tables.items()]
        if requests is not None and asked is not None:
            times.append((requests.offsets, asked.time))
        return OpenBlock(block, views, requests, times)

    def _tables(self, parts: Mapping[str, Part]) -> Mapping[str, Deriving]:
        return {
            name: Deriving(EventTable(parts[source_topic(name)].frame, source))
            for name, source in self._ready.spec.sources.items()
            if source_topic(name) in parts
        }

    def _view_block(
        self,
        fold: ViewFold,
        parts: Mapping[str, Part],
        tables: Mapping[str, Deriving],
        asks: tuple[RequestTable, Part] | None,
    ) -> _ViewBlock:
        plan = fold.view.plan
        deriving = tables.get(fold.view.source.name)
        none = np.empty(0, np.uint32)
        event_places, events = none, no_events(fold.view)
        if deriving is not None:
            event_places = parts[source_topic(fold.view.source.name)].offsets
            table = deriving.for_view(fold.view)
            events = events_for(plan, table, fold.slots_of(table.keys(plan.keys)))
        request_places, batch = none, Requests(np.empty(0, np.int32), np.empty(0, np.int64))
        if asks is not None:
            asked, part = asks
            request_places = part.offsets
            batch = Requests(fold.slots_of(asked.keys(plan.keys)), asked.time)
        places = np.sort(np.concatenate([event_places, request_places]), kind="stable")
        answers = np.empty((len(batch), len(plan.names)))
        return _ViewBlock(fold, events, batch, interleave(event_places, request_places), places, answers)

    def take_changes(self, time: int) -> dict[str, list[tuple[bytes, bytes]]]:
        """View -> keys and states that changed since the last call, brought up to the log's time."""
        changes = {fold.view.name: fold.take_changes(time) for fold in self._folds}
        return {view: pairs for view, pairs in changes.items() if pairs}

    def forget_if_large(self) -> None:
        """Keep memory bounded. Only between blocks, and only if all changes are stored."""
        for fold in self._folds:
            if len(fold) > MOST_KEYS:
                fold.forget()


def no_events(view: ReadyView) -> Events:
    """An empty batch of a view's events."""
    empty, columns = np.empty(0, np.int64), view.plan.columns.values()
    return Events(
        key=np.empty(0, np.int32),
        time=empty,
        ingest=empty,
        values=[np.empty(0, np.float64 if dtype.name == "Float64" else np.int64) for dtype in columns],
        id=None if view.source.id is None else empty,
        retraction=None if view.source.retraction is None else np.empty(0, np.uint8),
    )
