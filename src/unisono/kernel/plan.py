"""What the kernel is asked to compute for one key: columns, windows, outputs, and for how long ids are remembered."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Column:
    """How the values of one event column are written.

    kind:   "fixed" is an int64 that means value / 10**places (integers, booleans, timestamps, decimals);
            "float" is a float64.
    places: decimal places of a fixed column, 0 to 18; 0 for a float column.
    """

    kind: Literal["fixed", "float"]
    places: int = 0


@dataclass(frozen=True, slots=True)
class Output:
    """One float64 of the answer: an aggregation of one column over one window.

    aggregation: a name in `reference.AGGREGATIONS`.
    column:      index into `Plan.columns`; -1 for count(), which counts events.
    window:      index into `Plan.windows`.
    """

    aggregation: str
    column: int
    window: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The columns, windows and outputs of one feature view, as the kernel sees them.

    columns:     of the events, in the order their values are handed over; may be empty.
    windows:     widths in microseconds, above 0, in any order, none twice; None is all of history.
    outputs:     of an answer, in order.
    has_ids:     whether events carry ids, so that duplicates count once and retractions remove.
    remember_us: for how long after its event time an id is remembered at least, in microseconds.
    """

    columns: tuple[Column, ...]
    windows: tuple[int | None, ...]
    outputs: tuple[Output, ...]
    has_ids: bool = False
    remember_us: int = 0

    @property
    def id(self) -> int:
        """A signed 64-bit content id. Plans that answer differently have different ids; states carry it.

        >>> Plan((), (60_000_000,), (Output("count", -1, 0),)).id
        1663871436394429054
        """
        return int.from_bytes(hashlib.sha256(self._text().encode()).digest()[:8], "little", signed=True)

    def _text(self) -> str:
        columns = " ".join(f"{column.kind}.{column.places}" for column in self.columns)
        windows = " ".join("all" if window is None else str(window) for window in self.windows)
        outputs = " ".join(f"{output.aggregation}.{output.column}.{output.window}" for output in self.outputs)
        return f"plan 1|{columns}|{windows}|{outputs}|{int(self.has_ids)}|{self.remember_us}"
