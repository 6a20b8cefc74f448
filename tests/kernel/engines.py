"""The small interface through which everything that answers is judged, and the engine that shows how it is meant."""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from unisono.kernel.plan import Plan
from unisono.kernel.reference import Event, answer

from .cases import Item, KeyedEvent, Request, Row

Answer = Callable[[Plan, Sequence[Event], int, int | None], Row]


class StaleError(Exception):
    """A read was refused: it asks for a time before something that was let go of."""


class Session(ABC):
    """States of some keys, being fed."""

    @abstractmethod
    def feed(self, items: Sequence[Item]) -> list[Row]:
        """Fold and answer one batch in one call; a row a request."""

    @abstractmethod
    def follow(self, events: Sequence[KeyedEvent]) -> list[Row]:
        """Fold one batch, answering after each event at its ingest time; a row an event."""

    @abstractmethod
    def advance(self, time: int) -> None:
        """Bring all states up to a time."""

    @abstractmethod
    def ensure_slots(self, slots: int) -> None:
        """Make room for more keys."""

    @abstractmethod
    def export(self, slot: int) -> bytes:
        """One state as bytes; b"" if nothing was folded into it."""

    @abstractmethod
    def load(self, slot: int, state: bytes) -> None:
        """Continue an exported state."""


class Engine(ABC):
    """Something that folds logs and answers requests.

    share: of the usual number of examples, for what is slow.
    """

    name: str
    share: float = 1.0

    @abstractmethod
    def open(self, plan: Plan, slots: int, *, partial: bool = False) -> Session:
        """Empty states; partial if what they are fed does not begin the log."""

    @abstractmethod
    def read(self, plan: Plan, state: bytes, time: int) -> Row:
        """Read an exported state; raises StaleError."""

    @abstractmethod
    def merge(self, plan: Plan, earlier: bytes, later: bytes, *, partial: bool = False) -> bytes:
        """The state of two ranges of the log, one right after the other; partial if they do not begin it."""

    @abstractmethod
    def frame(self, plan: Plan, slots: int, items: Sequence[Item]) -> list[Row]:
        """All in one call, key by key, keeping no state; a row a request, in the order of the requests."""

    def run(self, plan: Plan, slots: int, items: Sequence[Item], cuts: Sequence[int]) -> list[Row]:
        """Feed items in log order, one call for each stretch between cuts."""
        session = self.open(plan, slots)
        starts, stops = (0, *cuts), (*cuts, len(items))
        return [row for start, stop in zip(starts, stops, strict=True) for row in session.feed(items[start:stop])]


@dataclass(slots=True)
class ReferenceSession(Session):
    """Keeps the log so far of every key, and answers from that alone."""

    plan: Plan
    answer: Answer
    logs: list[list[Event]] = field(default_factory=list)

    def feed(self, items: Sequence[Item]) -> list[Row]:
        rows = []
        for item in items:
            if isinstance(item, Request):
                rows.append(self.answer(self.plan, self.logs[item.key], item.time, None))
            else:
                self.logs[item.key].append(item.event)
        return rows

    def follow(self, events: Sequence[KeyedEvent]) -> list[Row]:
        return self.feed([each for item in events for each in (item, Request(item.key, item.event.ingest))])

    def advance(self, time: int) -> None:
        pass

    def ensure_slots(self, slots: int) -> None:
        self.logs += [[] for _ in range(slots - len(self.logs))]

    def export(self, slot: int) -> bytes:
        return pickle.dumps(self.logs[slot]) if self.logs[slot] else b""

    def load(self, slot: int, state: bytes) -> None:
        self.logs[slot] = unpacked(state)


class ReferenceEngine(Engine):
    """The reference, run event by event: shows what the interface means, and that the judges can be satisfied."""

    name = "reference"
    share = 0.3

    def __init__(self, answer: Answer = answer) -> None:
        self.answer = answer

    def open(self, plan: Plan, slots: int, *, partial: bool = False) -> ReferenceSession:
        return ReferenceSession(plan, self.answer, [[] for _ in range(slots)])

    def read(self, plan: Plan, state: bytes, time: int) -> Row:
        log = unpacked(state)
        return self.answer(plan, log, time, log[-1].ingest if log else None)

    def merge(self, plan: Plan, earlier: bytes, later: bytes, *, partial: bool = False) -> bytes:
        return pickle.dumps(log) if (log := unpacked(earlier) + unpacked(later)) else b""

    def frame(self, plan: Plan, slots: int, items: Sequence[Item]) -> list[Row]:
        return self.open(plan, slots).feed(items)


def unpacked(state: bytes) -> list[Event]:
    """The log that is a reference state."""
    return list(pickle.loads(state)) if state else []
