"""Cases that hold everything a log can hold: drawn by Hypothesis, which shrinks them, or rolled from a seed."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from random import Random
from typing import Protocol, TypeVar

from hypothesis import strategies as st

from unisono.kernel.plan import Column, Output, Plan
from unisono.kernel.reference import AGGREGATIONS, Event

from .cases import Case, Item, KeyedEvent, Request

T = TypeVar("T")
Values = Sequence[int | float | None]

LARGEST_INT = 2**63 - 1
LATEST = 2**61 - 1
HOUR = 3_600_000_000
NAN = float("nan")
ODD_NANS = struct.unpack(">2d", bytes.fromhex("fff80000000000007ff80000deadbeef"))
INFINITY = float("inf")

FIXED_FAMILIES: Sequence[Values] = (
    (0, 1, -1, 2, 3, -3, 7, 100),
    (1, 10, 10**3, 10**6, -(10**9), 10**18, 999_999_999_999, -125),
    (LARGEST_INT, -LARGEST_INT, 2**62, -(2**62), LARGEST_INT - 1, 0),
    (2**53, 2**53 + 1, -(2**53) - 1, 2**54 + 2, 2**54 - 1, 1),
    (0,),
)
FLOAT_FAMILIES: Sequence[Values] = (
    (0.0, 1.0, -1.0, 0.1, 0.2, 0.3, -0.3, 2.5, 1e6),
    (1e16, -1e16, 1.0, 1e-16, -1.0, 2.0**53, -(2.0**53), 1 + 2.0**-52, 2.0**-53),
    (5e-324, -5e-324, 1e-323, -1e-323, 2.0**-1022, -(2.0**-1022), 2.0**-1022 - 5e-324, 0.0, -0.0),
    (1.7976931348623157e308, -1.7976931348623157e308, 1e308, -1e308, 2.0**970, 2.0**1023, -(2.0**1023)),
    (1e-300, 1e300, -1e300, 5e-324, 1.0, 2.0**-537, 3e-170),
    (NAN, INFINITY, -INFINITY, 0.0, 1.0, *ODD_NANS),
    (INFINITY, 1.0, -2.0),
    (-0.0, 0.0),
)
IDS = (0, 1, 2, -1, LARGEST_INT, -LARGEST_INT)
MULTIPLES = (1, 2, 3, 5, 8, 20)
PLACES = (0, 0, 2, 1, 3, 9, 18)


class Choice(Protocol):
    """Where a case's choices come from."""

    def integer(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        ...

    def number(self) -> float:
        """Any float64."""
        ...


@dataclass(frozen=True, slots=True)
class Drawn:
    """Choices of Hypothesis."""

    draw: st.DrawFn

    def integer(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def number(self) -> float:
        return self.draw(st.floats())


@dataclass(frozen=True, slots=True)
class Rolled:
    """Choices of a seed: as many as one likes."""

    random: Random

    def integer(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def number(self) -> float:
        (value,) = struct.unpack("<d", self.random.randbytes(8))
        return float(value)


def pick(choice: Choice, options: Sequence[T]) -> T:
    """One of the options."""
    return options[choice.integer(0, len(options) - 1)]


@dataclass(frozen=True, slots=True)
class Clock:
    """The scale of a case's times: everything happens about `unit` microseconds apart, and just beside it."""

    unit: int
    start: int

    def near(self, choice: Choice, time: int) -> int:
        """The time, or one microsecond beside it, where that is not a whole unit away."""
        return time if self.unit == 1 else time + pick(choice, (0, 0, 0, -1, 1))

    def steps(self, choice: Choice, most: int) -> int:
        """Up to so many units."""
        return self.near(choice, choice.integer(1, most) * self.unit)


CLOCKS = (Clock(1, 0), Clock(1, -20), Clock(10**6, 1_600_000_000_000_000), Clock(HOUR, -HOUR), Clock(2**53, -(2**60)))


def make_plan(choice: Choice, clock: Clock, *, lean: bool = False) -> Plan:
    """Up to three columns and four windows; every output, or a few of them (always a few if lean)."""
    columns = tuple(_column(choice) for _ in range(pick(choice, (1, 1, 2, 3, 0))))
    widths = {clock.near(choice, pick(choice, MULTIPLES) * clock.unit) for _ in range(choice.integer(0, 3))}
    windows: list[int | None] = [*widths]
    if not widths or choice.integer(0, 1) == 1:
        windows.insert(choice.integer(0, len(windows)), None)
    every = [
        Output(aggregation, column, window)
        for window in range(len(windows))
        for column in range(-1, len(columns))
        for aggregation in (AGGREGATIONS if column >= 0 else ("count",))
    ]
    few = lean or choice.integer(0, 2) > 0
    outputs = list(dict.fromkeys(pick(choice, every) for _ in range(choice.integer(1, 8)))) if few else every
    remember = pick(choice, (0, 1, 3, 5, 30)) * clock.unit
    has_ids = choice.integer(0, 2) > 0
    return Plan(columns, tuple(windows), tuple(outputs), has_ids, remember if has_ids else 0)


def _column(choice: Choice) -> Column:
    return Column("float") if choice.integer(0, 1) == 1 else Column("fixed", pick(choice, PLACES))


def make_palette(choice: Choice, column: Column) -> Values:
    """The values a column takes in a case: of one family or a mix, so that they meet each other again; and null."""
    families = FLOAT_FAMILIES if column.kind == "float" else FIXED_FAMILIES
    chosen = [value for _ in range(choice.integer(1, 2)) for value in pick(choice, families)]
    fresh: Callable[[], int | float] = choice.number if column.kind == "float" else lambda: _any_int(choice)
    return [*chosen, *(fresh() for _ in range(choice.integer(0, 2))), *[None] * choice.integer(0, 2)]


def _any_int(choice: Choice) -> int:
    return choice.integer(-LARGEST_INT, LARGEST_INT)


@dataclass(slots=True)
class Log:
    """Writes items step by step, as time goes on.

    punctual: events are ingested the moment they happen.
    """

    choice: Choice
    plan: Plan
    clock: Clock
    slots: int
    punctual: bool
    palettes: list[Values]
    now: int = 0
    events: list[KeyedEvent] = field(default_factory=list)
    items: list[tuple[int, bool, Item]] = field(default_factory=list)

    def step(self) -> None:
        """Let some time pass or none, then let something come."""
        self.pass_time()
        kind = self.choice.integer(0, 9)
        if kind in (4, 5):
            self.ask()
        elif kind < 4 or not self.plan.has_ids:
            self.come(self.key(), self.event_time(), pick(self.choice, IDS), retracts=False)
        elif kind == 6:
            self.come(self.key(), self.event_time(), pick(self.choice, IDS), retracts=True)
        else:
            self.come_again(retracts=kind == 9)

    def pass_time(self) -> None:
        """Mostly none or a few units; at times up to where a window or memory ends, or long past everything."""
        kind = self.choice.integer(0, 9)
        if kind == 9:
            self.now += self.choice.integer(1, 3) * max(self.edges())
        elif kind == 8 and self.events:
            edge = pick(self.choice, self.events).event.time + pick(self.choice, self.edges())
            self.now = max(self.now, edge + self.choice.integer(-1, 1))
        elif kind >= 5:
            self.now += self.clock.steps(self.choice, 3)
        self.now = min(self.now, LATEST)

    def edges(self) -> list[int]:
        """The spans after which something ends."""
        return [*(width for width in self.plan.windows if width), self.plan.remember_us or self.clock.unit]

    def key(self) -> int:
        """Keys are asked for and fed unevenly."""
        return min(self.choice.integer(0, self.slots - 1), self.choice.integer(0, self.slots - 1))

    def event_time(self) -> int:
        """Now; or before or after now by a little, by as much as a window is wide, or by far more."""
        kind = 0 if self.punctual else self.choice.integer(0, 7)
        late = 0
        if kind >= 7:
            late = self.choice.integer(1, 4) * max(self.edges()) + self.choice.integer(0, 2)
        elif kind >= 6:
            late = pick(self.choice, self.edges()) + self.choice.integer(-1, 1)
        elif kind >= 5:
            late = -self.clock.steps(self.choice, 3)
        elif kind >= 2:
            late = self.clock.steps(self.choice, 6)
        return min(max(self.now - late, -LATEST), LATEST)

    def come(self, key: int, time: int, identity: int, *, retracts: bool) -> None:
        """An event or retraction is ingested now."""
        values = tuple(pick(self.choice, palette) for palette in self.palettes)
        event = Event(time, self.now, values, identity if self.plan.has_ids else None, retracts)
        self.events.append(KeyedEvent(key, event))
        self.items.append((self.now, False, self.events[-1]))

    def come_again(self, *, retracts: bool) -> None:
        """What came before comes again with other values; at times for another key, or with its id at another time."""
        if not self.events:
            return self.come(self.key(), self.event_time(), pick(self.choice, IDS), retracts=retracts)
        before = pick(self.choice, self.events)
        time = self.event_time() if self.choice.integer(0, 7) == 7 else before.event.time
        key = self.key() if self.choice.integer(0, 5) == 5 else before.key
        self.come(key, min(time, self.now) if self.punctual else time, before.event.id or 0, retracts=retracts)

    def ask(self) -> None:
        """A request comes now."""
        self.items.append((self.now, True, Request(self.key(), self.now)))

    def finish(self) -> tuple[Item, ...]:
        """The items in log order, each key asked for at the end and long after."""
        for later in (0, 1, self.choice.integer(1, 2) * max(self.edges())):
            self.now = min(self.now + later, LATEST)
            self.items += [(self.now, True, Request(key, self.now)) for key in range(self.slots)]
        return tuple(item for _, _, item in sorted(self.items, key=lambda entry: entry[:2]))


def make_case(choice: Choice, steps: Iterable[object], *, lean: bool = False) -> Case:
    """A case of so many steps."""
    clock = pick(choice, CLOCKS)
    plan = make_plan(choice, clock, lean=lean)
    slots = pick(choice, (1, 1, 2, 3))
    palettes = [make_palette(choice, column) for column in plan.columns]
    log = Log(choice, plan, clock, slots, choice.integer(0, 4) == 4, palettes, now=clock.start)
    for _ in steps:
        log.step()
    items = log.finish()
    cuts = sorted(choice.integer(0, len(items)) for _ in range(choice.integer(0, 6)))
    choices = tuple(choice.integer(0, 3) for _ in cuts)
    return Case(plan, slots, items, tuple(cuts), choices)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Short logs, which shrink well: whether there is another step is a choice of its own."""
    steps = takewhile(lambda _: draw(st.integers(0, 40)) > 0, range(60))
    return make_case(Drawn(draw), steps)


@dataclass(frozen=True, slots=True)
class RolledCase:
    """A case that is told by its seed and number of steps."""

    seed: int
    steps: int

    def case(self) -> Case:
        """The case itself."""
        return make_case(Rolled(Random(self.seed)), range(self.steps), lean=self.steps > 100)
