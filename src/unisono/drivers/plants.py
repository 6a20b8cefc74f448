"""Faults on purpose: what `parity --plant` puts into one driver's inputs, to prove that parity would find it.

The row or weight is chosen so that some answer depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal as Number
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from unisono.connect.records import Block, Part
from unisono.connect.segments import Mark
from unisono.drivers.predictors import ReadyPredictor
from unisono.drivers.stream import ReadableLog
from unisono.drivers.views import ReadyView
from unisono.spec.errors import InputError
from unisono.spec.types import Decimal, DType
from unisono.spec.wording import listing, quoted

DRIVERS = ("batch", "stream", "online")
KINDS = ("drop-event", "swap-events", "flip-bit", "change-weight")

POSITION = "\0position"  # no column of a schema can be called so

_TRIES = 500


class Plant(NamedTuple):
    """A fault and the driver whose inputs have it."""

    kind: str
    driver: str


def parse_plant(text: str) -> Plant:
    """A plant from `KIND:DRIVER`. Raises InputError."""
    kind, _, driver = text.partition(":")
    if kind not in KINDS or driver not in DRIVERS:
        allowed = f"one of {listing(KINDS)}, a colon, one of {listing(DRIVERS)}"
        raise InputError(f"plant: {quoted(text)}; allowed: {allowed}; write e.g. drop-event:stream")
    return Plant(kind, driver)


@dataclass(frozen=True)
class Changes:
    """Rows of a log that are left out or replaced, by position."""

    dropped: frozenset[int] = frozenset()
    replaced: Mapping[int, pl.DataFrame] = field(default_factory=dict)

    def apply(self, block: Block) -> Block:
        """A block as a reader gets it."""
        touched = [place for place in (*self.dropped, *self.replaced) if block.position <= place < block.end]
        if not touched:
            return block
        parts = tuple(self._apply(part, block.position) for part in block.parts)
        return Block(block.position, block.rows, parts)

    def _apply(self, part: Part, position: int) -> Part:
        frame, places = part.frame, part.offsets.astype(np.int64) + position
        for place, row in self.replaced.items():
            at = int(np.searchsorted(places, place))
            if at < len(places) and places[at] == place:
                frame = pl.concat([frame.slice(0, at), row.select(frame.columns), frame.slice(at + 1)])
        kept = np.array([place not in self.dropped for place in places.tolist()], np.bool_)
        return Part(part.topic, frame.filter(pl.Series(kept)), part.offsets[kept])


@dataclass(frozen=True, slots=True)
class ChangedLog:
    """A log that is read with changes."""

    log: ReadableLog
    changes: Changes

    @property
    def end(self) -> Mark:
        """How far it goes."""
        return self.log.end

    def read(self, position: int = 0, *, until: int | None = None) -> Iterator[Block]:
        """The blocks from a position on."""
        return (self.changes.apply(block) for block in self.log.read(position, until=until))


def plan_changes(
    kind: str, ready: ReadyPredictor, events: Mapping[str, pl.DataFrame], requests: pl.DataFrame
) -> Changes:
    """The changes of a fault in the events.

    events:   source -> frame in log order, with the position of each row in the column POSITION.
    requests: the same for the predictor's requests.

    Raises InputError if no answer depends on any event.
    """
    for view in sorted(ready.views, key=lambda view: _ease(view, kind)):
        found = _in_view(kind, ready, view, events.get(view.source.name), requests)
        if found is not None:
            return found
    raise InputError(
        f"plant: no answer of {ready.name} would show {kind}; allowed: a log with such events; use another"
    )


def _ease(view: ReadyView, kind: str) -> bool:
    """Views in which a change is sure to show come first: those that count or, for a value, sum fixed-point numbers."""
    items = view.plan.view.aggregations
    if kind != "flip-bit":
        return not any(item.kind == "count" and item.column is None for item in items)
    return not any(item.kind in ("sum", "mean") and _flippable(view, item.column) for item in items)


def _flippable(view: ReadyView, column: str | None) -> bool:
    dtype = view.source.schema.get(column or "")
    return dtype is not None and dtype.name in ("Decimal", "Int64")


def _in_view(
    kind: str, ready: ReadyPredictor, view: ReadyView, events: pl.DataFrame | None, requests: pl.DataFrame
) -> Changes | None:
    if events is None or not requests.height:
        return None
    # From the middle of the log on, so that windows are full.
    start = requests.height // 2
    for request in requests.slice(start, _TRIES).iter_rows(named=True):
        same = events.filter(pl.all_horizontal(pl.col(name) == request[name] for name in view.plan.view.key))
        candidates = _counted_once(view, same)
        before = _seen(view, candidates, request, ready.spec.time)
        after = candidates.filter(pl.col(POSITION) > request[POSITION])
        found = _MAKERS[kind](view, before, after)
        if found is not None:
            return found
    return None


def _counted_once(view: ReadyView, events: pl.DataFrame) -> pl.DataFrame:
    """Events that have no duplicate and no retraction."""
    source = view.source
    if source.id is not None:
        events = events.filter(pl.col(source.id).is_unique())
    return events if source.retraction is None else events.filter(~pl.col(source.retraction))


def _seen(view: ReadyView, events: pl.DataFrame, request: Mapping[str, Any], time: str) -> pl.DataFrame:
    """Events that the request's widest window holds."""
    seen = events.filter((pl.col(POSITION) < request[POSITION]) & (pl.col(view.source.event_time) <= request[time]))
    windows = view.plan.view.windows
    if None in windows:
        return seen
    widest = max(window for window in windows if window is not None)
    return seen.filter(pl.col(view.source.event_time) > request[time] - pl.duration(microseconds=widest))


def _drop(view: ReadyView, before: pl.DataFrame, after: pl.DataFrame) -> Changes | None:
    return Changes(dropped=frozenset({before[POSITION][-1]})) if before.height else None


def _swap(view: ReadyView, before: pl.DataFrame, after: pl.DataFrame) -> Changes | None:
    """What is in two rows is exchanged, but for the time at which each came."""
    came = view.source.ingest_time or view.source.event_time
    if not before.height:
        return None
    first = before.tail(1)
    values = [name for name in view.plan.columns if name in first.columns and name != came]
    differs = [pl.col(name).ne_missing(first[name][0]) for name in values] or [pl.lit(value=True)]
    later = after.filter((pl.col(came) > first[came][0]) & pl.any_horizontal(differs)).head(1)
    if not later.height:
        return None
    keep = [came, POSITION]
    return Changes(
        replaced={
            first[POSITION][0]: later.with_columns(first.get_column(name) for name in keep),
            later[POSITION][0]: first.with_columns(later.get_column(name) for name in keep),
        }
    )


def _flip(view: ReadyView, before: pl.DataFrame, after: pl.DataFrame) -> Changes | None:
    for item in view.plan.view.aggregations:
        column, dtype = item.column, view.source.schema.get(item.column or "")
        if column is None or dtype is None or dtype.name not in _FLIPS or item.kind not in _SHOWS_VALUES:
            continue
        known = before.filter(pl.col(column).is_not_null()).tail(1)
        if known.height:
            flipped = pl.Series(column, [_FLIPS[dtype.name](known[column][0], dtype)], known.schema[column])
            return Changes(replaced={known[POSITION][0]: known.with_columns(flipped)})
    return None


_SHOWS_VALUES = ("sum", "mean", "last")
_MAKERS: Mapping[str, Callable[[ReadyView, pl.DataFrame, pl.DataFrame], Changes | None]] = {
    "drop-event": _drop,
    "swap-events": _swap,
    "flip-bit": _flip,
}


def _flip_decimal(value: Number, dtype: DType) -> Number:
    places = dtype.places if isinstance(dtype, Decimal) else 0
    return Number(int(value.scaleb(places)) ^ 1).scaleb(-places)


def _flip_float(value: float, dtype: DType) -> float:
    return float((np.array([value]).view(np.int64) ^ 1).view(np.float64)[0])


_FLIPS: Mapping[str, Callable[[Any, DType], object]] = {
    "Decimal": _flip_decimal,
    "Int64": lambda value, dtype: value ^ 1,
    "Float64": _flip_float,
}
