"""The features of a stream in plain Python: deques and running sums, as one writes them by hand, without needless work.

Decimals are integers of hundredths, so their sums are exact. Float sums are added to and taken from, so they drift a
little; a window that holds one event starts them afresh.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from math import sqrt

from benchmarks.workload import WINDOWS

Number = int | float
Row = list[float]

NULL = float("nan")


class Window:
    """One key's events of one window, with what is asked about them kept up to date."""

    __slots__ = ("events", "maxima", "squares", "total", "width")

    def __init__(self, width: int) -> None:
        self.width = width
        self.events: deque[tuple[int, Number]] = deque()
        self.maxima: deque[tuple[int, Number]] = deque()
        self.total: Number = 0
        self.squares: Number = 0


def fold(windows: Sequence[Window], time: int, value: Number, unit: float) -> Row:
    """Takes one event into each window and returns count, sum, mean, max and std of each, in units of the value."""
    row: Row = []
    event = (time, value)
    for window in windows:
        start = time - window.width
        events, maxima = window.events, window.maxima
        total, squares = window.total + value, window.squares + value * value
        events.append(event)
        while events[0][0] <= start:
            old = events.popleft()[1]
            total -= old
            squares -= old * old
        while maxima and maxima[-1][1] <= value:
            maxima.pop()
        maxima.append(event)
        while maxima[0][0] <= start:
            maxima.popleft()
        count = len(events)
        if count == 1:
            total, squares, std = value, value * value, NULL
        else:
            std = sqrt(max(0, count * squares - total * total) / (count * (count - 1))) / unit
        window.total, window.squares = total, squares
        row += (count, total / unit, total / (count * unit), maxima[0][1] / unit, std)
    return row


def replay(keys: Sequence[int], times: Sequence[int], values: Sequence[Number], unit: float) -> Iterator[Row]:
    """The row of each event, in log order."""
    states: dict[int, tuple[Window, ...]] = {}
    for key, time, value in zip(keys, times, values, strict=True):
        windows = states.get(key)
        if windows is None:
            windows = states[key] = tuple(Window(width) for width in WINDOWS.values())
        yield fold(windows, time, value, unit)
