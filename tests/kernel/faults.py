"""Engines with one fault each, to prove that the judges catch it: the reference with its text changed, or wrapped."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from unisono.kernel import reference
from unisono.kernel.plan import Plan

from .cases import Item, KeyedEvent, Request, Row
from .engines import Answer, Engine, ReferenceEngine, ReferenceSession, unpacked

# The fault, the text of reference.py, and what stands there instead.
TEXT_FAULTS: Mapping[str, tuple[str, str]] = {
    # Windows and what is known.
    "a window is closed at its earlier end": ("time - window < event.time", "time - window <= event.time"),
    "a window is open at its later end": ("event.time <= time and", "event.time < time and"),
    "events of the future count at once": ("event.time <= time and", "True and"),
    "all of history is a long window": ("window is None or time - window", "time - (window or 10**12)"),
    "windows go by ingest time": ("time - window < event.time", "time - window < event.ingest"),
    "what is ingested at the read's instant is not seen": ("item.ingest <= known_until", "item.ingest < known_until"),
    # Ids.
    "duplicates count": ("elif identity not in met:", "else:"),
    "an id means one event whatever its time": ("identity = (item.id, item.time)", "identity = (item.id, 0)"),
    "the last duplicate's values win": (
        "elif identity not in met:\n            events.append(item)",
        "else:\n            events = [event for event in events if (event.id, event.time) != identity]\n"
        "            events.append(item)",
    ),
    "retractions do nothing": ("if item.retracts:\n            events =", "if item.retracts:\n            _ ="),
    "a retraction that comes first is forgotten": (
        "        met.add(identity)\n",
        "        if any((event.id, event.time) == identity for event in events):\n            met.add(identity)\n",
    ),
    "after a retraction the event may come again": (
        "        met.add(identity)\n",
        "        met.discard(identity) if item.retracts and identity in met else met.add(identity)\n",
    ),
    "a retraction removes every event of its instant": (
        "if (event.id, event.time) != identity]",
        "if event.time != item.time]",
    ),
    "a retraction counts as an event": ("elif identity not in met:", "if identity not in met:"),
    # Memory.
    "memory ends an instant late": ("item.time <= item.ingest - memory_us", "item.time < item.ingest - memory_us"),
    "memory ends an instant early": (
        "item.time <= item.ingest - memory_us",
        "item.time - 1 <= item.ingest - memory_us",
    ),
    "ids are remembered for ever": ("item.time <= item.ingest - memory_us(plan)", "False"),
    "remember_us is not looked at": ("max(widest, plan.remember_us) if plan.has_ids else widest", "widest"),
    "remember_us replaces the widest window": ("max(widest, plan.remember_us)", "plan.remember_us"),
    "events beyond memory are lost to history": ("[] if item.retracts else [item]", "[]"),
    "retractions beyond memory count as events": ("[] if item.retracts else [item]", "[item]"),
    "retractions beyond memory remove": ("if not plan.has_ids or item.time", "if not item.retracts and item.time"),
    # Values.
    "null is zero": (
        "return [_exact(plan.columns[column], value) for value in values if value is not None]",
        "return [_exact(plan.columns[column], value or 0) for value in values]",
    ),
    "count() counts values of the first column": ("    if column < 0:\n", "    if column < 0 and not plan.columns:\n"),
    "NaN is null": ("if value is not None]", "if value is not None and value == value]"),
    "NaN never leaves": (
        "(window is None or",
        "(any(value != value for value in event.values) or window is None or",
    ),
    "an infinity never leaves": ("(window is None or", "(float('inf') in event.values or window is None or"),
    "an infinity makes a sum NaN": ("others.pop() if len(others) == 1 else math.nan", "math.nan"),
    "both infinities make an infinity": ("if len(others) == 1 else math.nan", "if others else math.nan"),
    "var over an infinity is infinite": (
        "    if len(finite) < len(values):\n        return math.nan",
        "    if len(finite) < len(values):\n        return math.inf",
    ),
    "var leaves out what is not finite": ("    if len(finite) < len(values):\n", "    if len(finite) < 2:\n"),
    "NaN spoils min and max": ("[value for value in values if value == value] or [math.nan]", "values"),
    "min and max see no infinities": ("if value == value]", "if isinstance(value, Fraction)]"),
    "all NaN is null": (
        "return rounded(max(comparable(values))) if values",
        "return rounded(max(comparable(values))) if any(value == value for value in values)",
    ),
    "first is by log order": ("return sorted(inside, key=lambda event: event.time)", "return inside"),
    "ties of time go by value": ("key=lambda event: event.time)", "key=lambda event: (event.time, str(event.values)))"),
    "the latest in the log wins a tie for first": (
        "return sorted(inside, key=lambda event: event.time)",
        "return sorted(inside[::-1], key=lambda event: event.time)",
    ),
    "first and last pass over NaN": ("rounded(values[0])", "rounded(comparable(values)[0])"),
    "last may be null": (
        "return rounded(values[-1]) if values else None",
        "return rounded(values[-1]) if len(values) > 1 else None",
    ),
    "minus zero stays": (
        "return Fraction(value) if math.isfinite(value) else value",
        "return Fraction(value) if math.isfinite(value) and value else value",
    ),
    "var of one value is zero": (
        "return rounded(variance(values)) if len(values) > 1 else None",
        "return rounded(variance(values)) if len(values) > 1 else 0.0",
    ),
    "var divides by n": ("n * (n - 1))", "n * n)"),
    "the sum of nothing is null": (
        "return rounded(total(values))",
        "return rounded(total(values)) if values else None",
    ),
    "range is of rounded ends": (
        "rounded(max(comparable(values)) - min(comparable(values)))",
        "rounded(rounded(max(comparable(values))) - rounded(min(comparable(values))))",
    ),
    # Numbers.
    "sums are of float64": (
        "sum((Fraction(value) for value in values), Fraction(0))",
        "Fraction(s) if math.isfinite(s := sum(map(float, values), 0.0)) else s",
    ),
    "sums are compensated": ("return rounded(total(values))", "return compensated([float(value) for value in values])"),
    "a mean is of a rounded sum": ("rounded(total(values) / len(values))", "(rounded(total(values)) / len(values))"),
    "var is of a float64 mean": ("sum_ * sum_, n * (n - 1))", "n * n * Fraction(float(sum_ / n)) ** 2, n * (n - 1))"),
    "std is the root of a rounded var": (
        "round_sqrt(exact) if isinstance(exact, Fraction) else math.nan",
        "math.sqrt(rounded(exact))",
    ),
    "decimals are divided in float64": ("Fraction(value) / scale", "Fraction(value / float(scale))"),
    "integers pass through float64": (
        "Fraction(value) / scale",
        "Fraction(float(value)) / scale",
    ),
    "places are not looked at": ("10**column.places", "1"),
    "ties are rounded up": ("rest == half and (kept % 2 == 1 or not exact)", "rest == half"),
    "what lies below the last bit is lost": ("(kept % 2 == 1 or not exact)", "kept % 2 == 1"),
    "subnormals are flushed to zero": (
        "return math.ldexp(kept, drop - _FINE)",
        "x = math.ldexp(kept, drop - _FINE)\n        return x if x >= 2.0**-1022 else 0.0",
    ),
    "subnormals are cut off": ("if rest > half or (rest", "if drop > 2 and rest > half or (rest"),
    "too large stays finite": ("return math.inf\n", "return 1.7976931348623157e308\n"),
    "what is rounded to zero has no sign": (
        "-nearest if exact < 0 else nearest",
        "-nearest + 0.0 if exact < 0 else nearest",
    ),
}


def compensated(values: Sequence[float]) -> float:
    """Neumaier's sum: what many call exact."""
    total, low = 0.0, 0.0
    for value in values:
        new = total + value
        low += (total - new) + value if abs(total) >= abs(value) else (value - new) + total
        total = new
    return total + low


def faulty_reference(before: str, after: str) -> Answer:
    """`answer` of a reference in whose text one place is changed."""
    text = Path(str(reference.__file__)).read_text(encoding="utf-8")
    code = text[text.index("from __future__") :]
    if before not in code:
        raise LookupError(f"reference.py no longer has {before!r}: plant the fault elsewhere")
    module = ModuleType("faulty_reference")
    sys.modules[module.__name__] = module  # dataclasses look their module up
    vars(module)["compensated"] = compensated
    exec(code.replace(before, after), vars(module))
    return vars(module)["answer"]  # type: ignore[no-any-return]


class LateFold(ReferenceEngine):
    """Folds all events of a batch, then answers."""

    def open(self, plan: Plan, slots: int, *, partial: bool = False) -> ReferenceSession:
        return _LateFoldSession(plan, _known_now, [[] for _ in range(slots)])


class _LateFoldSession(ReferenceSession):
    def feed(self, items: Sequence[Item]) -> list[Row]:
        return super().feed(sorted(items, key=lambda item: isinstance(item, Request)))


def _known_now(plan: Plan, log: Sequence[reference.Event], time: int, known_at: int | None) -> Row:
    return reference.answer(plan, log, time, max([time, *(event.ingest for event in log)]))


class ForgettingExport(ReferenceEngine):
    """A saved state has its events, but not the retractions that came first."""

    def open(self, plan: Plan, slots: int, *, partial: bool = False) -> ReferenceSession:
        return _ForgettingSession(plan, self.answer, [[] for _ in range(slots)])


class _ForgettingSession(ReferenceSession):
    def export(self, slot: int) -> bytes:
        met = {(event.id, event.time) for event in self.logs[slot] if not event.retracts}
        kept = [event for event in self.logs[slot] if not event.retracts or (event.id, event.time) in met]
        return pickle.dumps(kept) if kept else b""


class IdlessExport(ReferenceEngine):
    """A saved state counts right, but has forgotten which events it has met."""

    def open(self, plan: Plan, slots: int, *, partial: bool = False) -> ReferenceSession:
        return _IdlessSession(plan, self.answer, [[] for _ in range(slots)])


class _IdlessSession(ReferenceSession):
    def load(self, slot: int, state: bytes) -> None:
        events = reference.counted(self.plan, unpacked(state))
        self.logs[slot] = [replace(event, id=10**20 + place) for place, event in enumerate(events)]


class SharedMemory(ReferenceEngine):
    """Ids are remembered for all keys together."""

    def open(self, plan: Plan, slots: int, *, partial: bool = False) -> ReferenceSession:
        return _SharedSession(plan, self.answer, [[] for _ in range(slots)])


class _SharedSession(ReferenceSession):
    def feed(self, items: Sequence[Item]) -> list[Row]:
        rows: list[Row] = []
        for item in items:
            others = [event for key, log in enumerate(self.logs) if key != item.key for event in log]
            met = (
                isinstance(item, KeyedEvent) and not item.event.retracts and self.plan.has_ids and _is_in(item, others)
            )
            rows += super().feed([] if met else [item])
        return rows


def _is_in(item: KeyedEvent, events: Sequence[reference.Event]) -> bool:
    return any((event.id, event.time) == (item.event.id, item.event.time) for event in events)


class EagerEviction(ReferenceEngine):
    """A read lets go of what its windows no longer hold, and of what only all of history or a duplicate would want."""

    def open(self, plan: Plan, slots: int, *, partial: bool = False) -> ReferenceSession:
        return _EagerSession(plan, self.answer, [[] for _ in range(slots)])


class _EagerSession(ReferenceSession):
    def feed(self, items: Sequence[Item]) -> list[Row]:
        rows: list[Row] = []
        widest = max((window or 0 for window in self.plan.windows), default=0)
        for item in items:
            rows += super().feed([item])
            if isinstance(item, Request):
                log = self.logs[item.key]
                self.logs[item.key] = [event for event in log if event.time > item.time - widest]
        return rows


class Watermark(ReferenceEngine):
    """Events older than the newest by more than the narrowest window are dropped."""

    def open(self, plan: Plan, slots: int, *, partial: bool = False) -> ReferenceSession:
        return _WatermarkSession(plan, self.answer, [[] for _ in range(slots)])


class _WatermarkSession(ReferenceSession):
    def feed(self, items: Sequence[Item]) -> list[Row]:
        narrowest = min((window for window in self.plan.windows if window is not None), default=10**18)
        rows: list[Row] = []
        for item in items:
            log = self.logs[item.key]
            newest = max((event.time for event in log), default=-(10**19))
            if isinstance(item, Request) or item.event.time >= newest - narrowest:
                rows += super().feed([item])
        return rows


class AdvanceForgets(ReferenceEngine):
    """Bringing a state up to a time loses the events that are still ahead of it."""

    def open(self, plan: Plan, slots: int, *, partial: bool = False) -> ReferenceSession:
        return _AdvanceForgetsSession(plan, self.answer, [[] for _ in range(slots)])


class _AdvanceForgetsSession(ReferenceSession):
    def advance(self, time: int) -> None:
        self.logs = [[event for event in log if event.time <= time] for log in self.logs]


class FollowsInstants(ReferenceEngine):
    """A read after an event also sees what is ingested later at the same instant."""

    def open(self, plan: Plan, slots: int, *, partial: bool = False) -> ReferenceSession:
        return _FollowsInstantsSession(plan, self.answer, [[] for _ in range(slots)])


class _FollowsInstantsSession(ReferenceSession):
    def follow(self, events: Sequence[KeyedEvent]) -> list[Row]:
        super().feed(events)
        return super().feed([Request(item.key, item.event.ingest) for item in events])


class FrameMixesKeys(ReferenceEngine):
    """One state serves key after key and is not emptied in between."""

    def frame(self, plan: Plan, slots: int, items: Sequence[Item]) -> list[Row]:
        one = [replace(item, key=0) for item in items]
        return self.open(plan, 1).feed(one)


class ReadsAtItsNewest(ReferenceEngine):
    """A read of a saved state answers for the newest ingest time in it, whatever was asked."""

    def read(self, plan: Plan, state: bytes, time: int) -> Row:
        log = unpacked(state)
        return self.answer(plan, log, log[-1].ingest if log else time, None)


class MergesCounts(ReferenceEngine):
    """A merge adds what counts in each part, comparing nothing across parts."""

    def merge(self, plan: Plan, earlier: bytes, later: bytes, *, partial: bool = False) -> bytes:
        marked = [
            replace(event, id=None if event.id is None else event.id + (side + 1) * 10**20)
            for side, state in enumerate((earlier, later))
            for event in unpacked(state)
        ]
        return pickle.dumps(marked) if marked else b""


class MergesBackwards(ReferenceEngine):
    """A merge takes the later part for the earlier one."""

    def merge(self, plan: Plan, earlier: bytes, later: bytes, *, partial: bool = False) -> bytes:
        log = [replace(event, ingest=0) for event in unpacked(later) + unpacked(earlier)]
        return pickle.dumps(log) if log else b""


class MergeForgetsRetractions(ReferenceEngine):
    """A merge takes the later part's events, but not its retractions of the earlier part's events."""

    def merge(self, plan: Plan, earlier: bytes, later: bytes, *, partial: bool = False) -> bytes:
        log = unpacked(earlier) + [event for event in unpacked(later) if not event.retracts]
        return pickle.dumps(log) if log else b""


ENGINE_FAULTS: Mapping[str, Callable[[], Engine]] = {
    str(faulty.__doc__): faulty
    for faulty in (
        *(LateFold, ForgettingExport, IdlessExport, SharedMemory, EagerEviction, Watermark, AdvanceForgets),
        *(FollowsInstants, FrameMixesKeys, ReadsAtItsNewest, MergesCounts, MergesBackwards, MergeForgetsRetractions),
    )
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One planted fault."""

    name: str

    def engine(self) -> Engine:
        """The engine that has it."""
        if self.name in ENGINE_FAULTS:
            return ENGINE_FAULTS[self.name]()
        return ReferenceEngine(faulty_reference(*TEXT_FAULTS[self.name]))


FAULTS = tuple(Fault(name) for name in (*TEXT_FAULTS, *ENGINE_FAULTS))
