"""What a feature means, in plain Python with exact fractions. This file decides.

The kernel, on every target, is a fast copy of `answer` and is judged against it bit by bit.

**What counts.** The log of a key is a sequence of items, events and retractions, in log order: by ingest time, then as
they came. An answer known at `a` is made of the items with ingest <= a. With ids, items with the same (id, event time)
are about the same event. It counts once an event item has come, unless a retraction has come before or after it; its
values and its place in the log are those of the first event item. So a duplicate does nothing, not even after a
retraction. Without ids every event counts, and nothing can be retracted.

**Memory.** Ids are remembered for H, the widest finite window or `remember_us` if that is longer. An item with
time <= ingest - H is beyond memory: it is compared with nothing and nothing is compared with it. An event beyond memory
counts; a retraction beyond memory does nothing. No finite window that is read at or after the ingest can hold it, so
this matters for all of history only. An item once beyond memory stays so: ingest times never fall.

**Windows.** A window of width w read at t holds the events that count and have t - w < time <= t; all of history holds
those with time <= t. It holds them in order of (event time, log order).

**Values.** Null is no value. -0.0 enters as 0.0. NaN and the infinities are values: they are counted, they can be first
or last, and they leave with their event. A sum, mean, var or std over a NaN or over both infinities is NaN; over one
kind of infinity sum and mean are that infinity, var and std are NaN. min and max pass over NaN unless there is nothing
else, and see infinities; range is max - min (inf - inf is NaN). Over no value count and sum are 0, all else is null;
over one value, whatever it is, var and std are null.

**Numbers.** An aggregate is its real-number expression over the exact values, rounded once to float64, to nearest even:
subnormals too, and to an infinity from 2**1024 - 2**970 on. mean is S/n, var (nQ - SS) / (n(n-1)), std the root of var
before its rounding, with S the sum, Q the sum of squares, n the number of values. What is exactly zero is +0.0; a
negative number that is rounded to zero is -0.0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from unisono.kernel.plan import Column, Plan

Number = Fraction | float
"""A value or an exact result: a Fraction if finite, else NaN or an infinity."""


@dataclass(frozen=True, slots=True)
class Event:
    """One item of the log of one key: an event, or the retraction of one.

    time, ingest: microseconds since 1970 UTC; when it happened, and when the system first had it.
    values:       one a column of the plan: int for a fixed column (not scaled), float for a float column, or None.
                  A retraction's are not looked at.
    id:           with `time` says which event this is; None in a plan without ids.
    """

    time: int
    ingest: int
    values: tuple[int | float | None, ...] = ()
    id: int | None = None
    retracts: bool = False


def answer(plan: Plan, log: Sequence[Event], time: int, known_at: int | None = None) -> tuple[float | None, ...]:
    """The plan's outputs for one key at `time`, as known at `known_at`.

    log:      all items of the key, in log order.
    time:     microseconds; later events are not held by any window.
    known_at: microseconds; items ingested later are not seen. `time` if None.

    Returns one float64 an output; null is None.
    Cost: O(outputs x events of the log), without haste.

    >>> from unisono.kernel.plan import Output
    >>> outputs = (Output("sum", 0, 0), Output("max", 0, 0), Output("var", 0, 0))
    >>> plan = Plan((Column("fixed", places=1),), (10,), outputs)
    >>> log = [Event(time=1, ingest=1, values=(5,)), Event(time=9, ingest=12, values=(1,))]
    >>> answer(plan, log, 9), answer(plan, log, 9, known_at=12), answer(plan, log, 12), answer(plan, log, 19)
    ((0.5, 0.5, None), (0.6, 0.5, 0.08), (0.1, 0.1, None), (0.0, None, None))
    """
    known_until = time if known_at is None else known_at
    events = counted(plan, [item for item in log if item.ingest <= known_until])
    return tuple(
        AGGREGATIONS[output.aggregation](_values(plan, held(events, plan.windows[output.window], time), output.column))
        for output in plan.outputs
    )


def counted(plan: Plan, log: Iterable[Event]) -> list[Event]:
    """The events that count once all of `log` is known, in log order."""
    events: list[Event] = []
    met: set[tuple[int | None, int]] = set()
    for item in log:
        if not plan.has_ids or item.time <= item.ingest - memory_us(plan):
            events += [] if item.retracts else [item]
            continue
        identity = (item.id, item.time)
        if item.retracts:
            events = [event for event in events if (event.id, event.time) != identity]
        elif identity not in met:
            events.append(item)
        met.add(identity)
    return events


def memory_us(plan: Plan) -> int:
    """H: an item is compared by id with the others if time > ingest - H."""
    widest = max((window for window in plan.windows if window is not None), default=0)
    return max(widest, plan.remember_us) if plan.has_ids else widest


def held(events: Iterable[Event], window: int | None, time: int) -> list[Event]:
    """The events that a window holds when it is read at `time`, by (event time, log order)."""
    inside = [event for event in events if event.time <= time and (window is None or time - window < event.time)]
    return sorted(inside, key=lambda event: event.time)


def _values(plan: Plan, events: Iterable[Event], column: int) -> list[Number]:
    """The values of a column that are not null. Column -1 has one in every event: count() counts events."""
    if column < 0:
        return [Fraction(1) for _ in events]
    values = (event.values[column] for event in events)
    return [_exact(plan.columns[column], value) for value in values if value is not None]


def _exact(column: Column, value: int | float) -> Number:
    if column.kind == "fixed":
        scale: int = 10**column.places
        return Fraction(value) / scale
    return Fraction(value) if math.isfinite(value) else value


def _count(values: Sequence[Number]) -> float:
    return float(len(values))


def _sum(values: Sequence[Number]) -> float:
    return rounded(total(values))


def _mean(values: Sequence[Number]) -> float | None:
    return rounded(total(values) / len(values)) if values else None


def _var(values: Sequence[Number]) -> float | None:
    return rounded(variance(values)) if len(values) > 1 else None


def _std(values: Sequence[Number]) -> float | None:
    if len(values) < 2:
        return None
    exact = variance(values)
    return round_sqrt(exact) if isinstance(exact, Fraction) else math.nan


def _min(values: Sequence[Number]) -> float | None:
    return rounded(min(comparable(values))) if values else None


def _max(values: Sequence[Number]) -> float | None:
    return rounded(max(comparable(values))) if values else None


def _range(values: Sequence[Number]) -> float | None:
    return rounded(max(comparable(values)) - min(comparable(values))) if values else None


def _first(values: Sequence[Number]) -> float | None:
    return rounded(values[0]) if values else None


def _last(values: Sequence[Number]) -> float | None:
    return rounded(values[-1]) if values else None


AGGREGATIONS: Mapping[str, Callable[[Sequence[Number]], float | None]] = {
    "count": _count,
    "sum": _sum,
    "mean": _mean,
    "var": _var,
    "std": _std,
    "min": _min,
    "max": _max,
    "range": _range,
    "first": _first,
    "last": _last,
}


def total(values: Sequence[Number]) -> Number:
    """The exact sum; an infinity if it is the only kind among the values; else NaN."""
    others = {value for value in values if isinstance(value, float)}
    if others:
        return others.pop() if len(others) == 1 else math.nan
    return sum((Fraction(value) for value in values), Fraction(0))


def variance(values: Sequence[Number]) -> Number:
    """The exact sample variance of two values or more; NaN if one is not finite."""
    finite = [value for value in values if isinstance(value, Fraction)]
    if len(finite) < len(values):
        return math.nan
    n, sum_, squares = len(finite), sum(finite), sum(value * value for value in finite)
    return Fraction(n * squares - sum_ * sum_, n * (n - 1))


def comparable(values: Sequence[Number]) -> Sequence[Number]:
    """The values that have an order; [NaN] if there is none."""
    return [value for value in values if value == value] or [math.nan]


def rounded(exact: Number) -> float:
    """An exact result as float64; there is one NaN."""
    if isinstance(exact, Fraction):
        return round_fraction(exact)
    return math.nan if math.isnan(exact) else exact


def round_fraction(exact: Fraction) -> float:
    """The float64 nearest to a fraction, ties to even.

    >>> round_fraction(Fraction(1, 10)), round_fraction(Fraction(-1, 10**400)), round_fraction(Fraction(10**400))
    (0.1, -0.0, inf)
    """
    floor, rest = divmod(abs(exact.numerator) << _FINE, exact.denominator)
    nearest = _nearest(floor, exact=rest == 0)
    return -nearest if exact < 0 else nearest


def round_sqrt(exact: Fraction) -> float:
    """The float64 nearest to the square root of a fraction that is not negative, ties to even.

    >>> round_sqrt(Fraction(2)), round_sqrt(Fraction(1, 4)), round_sqrt(Fraction(10**700))
    (1.4142135623730951, 0.5, inf)
    """
    square, rest = divmod(exact.numerator << 2 * _FINE, exact.denominator)
    floor = math.isqrt(square)
    return _nearest(floor, exact=rest == 0 and floor * floor == square)


_FINE = 1076
"""Results are first floored to a whole number of 2**-1076, a quarter of the smallest float64 above zero."""


def _nearest(floor: int, *, exact: bool) -> float:
    """The float64 nearest to floor * 2**-1076 or, if not exact, to a number strictly between that and the next one up.

    A float64 is a whole number of at most 53 bits times 2**k with k >= -1074, so at least two bits are dropped; half of
    the last kept place is then itself a whole number of 2**-1076, and being above `floor` decides what `floor` ties.
    """
    drop = max(floor.bit_length() - 53, 2)
    kept, rest = divmod(floor, 1 << drop)
    half = 1 << drop - 1
    if rest > half or (rest == half and (kept % 2 == 1 or not exact)):
        kept += 1
    try:
        return math.ldexp(kept, drop - _FINE)
    except OverflowError:
        return math.inf
