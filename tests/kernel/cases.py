"""What every engine is given: a plan, and the events and requests of some keys in log order."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from unisono.kernel.plan import Output, Plan
from unisono.kernel.reference import Event, answer

Row = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class KeyedEvent:
    """An event or retraction of one key; the key is a slot number."""

    key: int
    event: Event


@dataclass(frozen=True, slots=True)
class Request:
    """A question: the outputs of a key at a time."""

    key: int
    time: int


Item = KeyedEvent | Request


@dataclass(frozen=True, slots=True)
class Case:
    """Items in log order (requests after the events of the same instant), and how a test may take them apart.

    cuts:    places between items, ascending: ends of batches, of parts to merge, places to save.
    choices: which two neighbours are merged next, modulo how many there are.
    """

    plan: Plan
    slots: int
    items: tuple[Item, ...]
    cuts: tuple[int, ...] = ()
    choices: tuple[int, ...] = ()

    def parts(self) -> list[tuple[Item, ...]]:
        """The items between the cuts; some may be empty."""
        return [self.items[start:stop] for start, stop in pairwise((0, *self.cuts, len(self.items)))]


def log_of(items: Iterable[Item], key: int) -> list[Event]:
    """The items of one key's log."""
    return [item.event for item in items if isinstance(item, KeyedEvent) and item.key == key]


def clock_of(item: Item) -> int:
    """When an item comes."""
    return item.time if isinstance(item, Request) else item.event.ingest


@lru_cache(maxsize=4096)
def expected(case: Case) -> tuple[Row, ...]:
    """What the reference answers, a row a request. It is given the whole log: what was known is for it to see."""
    logs = [log_of(case.items, key) for key in range(case.slots)]
    return tuple(answer(case.plan, logs[item.key], item.time) for item in case.items if isinstance(item, Request))


class DifferenceError(AssertionError):
    """An engine gave another bit than the reference."""


def compare(plan: Plan, right: Sequence[Row], seen: Sequence[Row], what: str) -> None:
    """Raise DifferenceError at the first row that differs in a bit; null and NaN differ."""
    if len(right) != len(seen):
        raise DifferenceError(f"{what}: {len(right)} rows expected, {len(seen)} came")
    for index, (right_row, seen_row) in enumerate(zip(right, seen, strict=True)):
        if len(right_row) != len(seen_row):
            raise DifferenceError(f"{what}: row {index}: {len(right_row)} outputs expected, {len(seen_row)} came")
        for output, one, other in zip(plan.outputs, right_row, seen_row, strict=True):
            if bits(one) != bits(other):
                raise DifferenceError(
                    f"{what}: row {index}: {_name(plan, output)}: {_both(one)} expected, {_both(other)} came"
                )


def bits(value: float | None) -> str:
    """A float64 as hexadecimal bits; null has none."""
    return "null" if value is None else struct.pack(">d", value).hex()


def _both(value: float | None) -> str:
    return "null" if value is None else f"{value!r} ({bits(value)})"


def _name(plan: Plan, output: Output) -> str:
    column = "" if output.column < 0 else f"column {output.column} {plan.columns[output.column]}"
    return f"{output.aggregation}({column}) over {plan.windows[output.window]}"
