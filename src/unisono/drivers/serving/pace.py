"""How fast a version answers, learned from what it did: how many rows a batch may have, and how long a wait will be."""

from __future__ import annotations

MOST_ROWS = 256
"""Of a batch; no model gains by more."""
QUICK_S = 0.001
"""A version whose single row takes less runs on the loop: handing it to a thread costs more than it gives."""

_LONGEST_S = 0.002
_LONGEST_THREADED_S = 0.05
_WEIGHT = 0.1  # of a new observation
_GAIN, _LOSS = 0.97, 1.05
_SIZES = MOST_ROWS.bit_length()


class Pace:
    """What is known about the speed of one version.

    `cap` is the most rows that a batch should have: it doubles as long as the time a row falls by it, and never lets a
    batch take so long that others wait noticeably.
    """

    __slots__ = ("_row_s", "_seen", "cap")

    def __init__(self) -> None:
        self.cap = 1
        self._row_s = [0.0] * _SIZES  # seconds a row in batches of 2**n rows or a bit more
        self._seen = [0] * _SIZES

    def observe(self, rows: int, seconds: float) -> None:
        """Take in how long a batch took."""
        size = min(rows.bit_length() - 1, _SIZES - 1)
        each = seconds / rows
        known = self._row_s[size]
        self._row_s[size] = each if not self._seen[size] else known + _WEIGHT * (each - known)
        self._seen[size] += 1
        if rows >= self.cap:
            self._judge_cap()

    def _judge_cap(self) -> None:
        size = self.cap.bit_length() - 1
        here = self._row_s[size]
        smaller = self._row_s[size - 1] if size and self._seen[size - 1] else here / _GAIN * 1.0001
        longest = _LONGEST_S if self.is_quick else _LONGEST_THREADED_S
        if size and (here > smaller * _LOSS or here * self.cap > longest):
            self.cap //= 2
        elif here < smaller * _GAIN and self.cap < MOST_ROWS and 2 * here * self.cap <= longest:
            self.cap *= 2

    @property
    def is_quick(self) -> bool:
        """Whether a single row is answered so fast that the loop may wait for it."""
        return bool(self._seen[0]) and self._row_s[0] < QUICK_S

    def seconds(self, rows: int) -> float:
        """How long so many rows will take, in batches of `cap`; 0 if nothing is known yet."""
        size = self.cap.bit_length() - 1
        return rows * (self._row_s[size] or self._row_s[0])
