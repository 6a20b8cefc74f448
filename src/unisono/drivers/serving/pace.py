"""How fast a version answers, learned from what it did: how many rows a batch may have, and how long a wait will be."""

from __future__ import annotations

MOST_ROWS = 256
"""Of a batch of several calls, and of what a model is given at once; no model gains by more."""
QUICK_S = 0.001
"""A version whose single row takes less runs on the loop: handing it to a thread costs more than it gives."""
LONGEST_S = 0.002
"""That a batch may take on the loop, where all others wait for it."""
LONGEST_THREADED_S = 0.05
"""That a batch may take in a thread, where only its own lane waits."""

_WEIGHT = 0.1  # of a new observation
_MOST_TIMES = 4  # what was known is what an observation may count for
_FEW = 4  # of the first observations the least counts
_BESIDES = 4  # times as long as the model takes a row with all that is done besides, before that has been seen
_GAIN, _LOSS, _FORGET = 0.97, 1.05, 0.999
_SIZES = MOST_ROWS.bit_length()


def _towards(known: float, seen: float) -> float:
    """What is known after another observation. One that was interrupted, by whatever, may not count for much."""
    return known + _WEIGHT * (min(seen, _MOST_TIMES * known) - known)


class Pace:
    """What is known about the speed of one version.

    `cap` is the most rows that a batch should have: it doubles as long as the time a row falls by it, halves if that
    rises, and never lets a batch take so long that others wait noticeably.
    """

    __slots__ = ("_each_s", "_is_trusted", "_row_s", "_seen", "_service_s", "cap", "is_quick")

    def __init__(self) -> None:
        self.cap = 1
        self.is_quick = False  # whether a single row is answered so fast that the loop may wait for it
        self._is_trusted = True
        self._service_s = 0.0  # seconds a row, from turn to turn
        self._row_s = [0.0] * (_SIZES + 1)  # seconds a row in batches of 2**n rows or a bit more
        self._each_s = 0.0  # the same, of the last batch's size
        self._seen = [0] * (_SIZES + 1)

    def observe(self, rows: int, seconds: float) -> None:
        """Take in how long a batch took, of at least one row."""
        size = min(rows.bit_length() - 1, _SIZES - 1)
        each = seconds / rows
        known = self._row_s[size] or each
        self._each_s = self._row_s[size] = min(known, each) if self._seen[size] < _FEW else _towards(known, each)
        self._seen[size] += 1
        if not size or not self._seen[0]:
            self.is_quick = self._is_trusted and self._row_s[size] * (1 << size) < QUICK_S
        if size >= self.cap.bit_length() - 1:
            self._judge_cap(size)

    def _judge_cap(self, size: int) -> None:
        here, larger = self._row_s[size], self._row_s[size + 1]
        smaller = next((self._row_s[one] for one in range(size - 1, -1, -1) if self._seen[one]), float("inf"))
        longest_s = LONGEST_S if self.is_quick else LONGEST_THREADED_S
        if size and size == self.cap.bit_length() - 1 and (here > smaller * _LOSS or here * self.cap > longest_s):
            self.cap //= 2
        elif here < smaller * _GAIN and self.cap < MOST_ROWS and 2 * here * self.cap <= longest_s:
            if larger > here * _LOSS:
                self._row_s[size + 1] *= _FORGET  # it was no better, and is tried again some day
            else:
                self.cap *= 2

    def served(self, rows: int, seconds: float) -> None:
        """Take in how long it was from one batch to the next, with all that the loop does besides; `rows` of the first.

        Of a batch that nobody waited behind: only until it was answered, which is less, and makes up for a bad moment.
        """
        known = self._service_s or _BESIDES * self.seconds(1) or seconds / rows
        self._service_s = _towards(known, seconds / rows)

    def wait_s(self, rows: int) -> float:
        """How long so many rows will take, as this lane has been served lately; 0 if nothing is known yet."""
        return rows * self._service_s

    def distrust(self) -> None:
        """Never let the loop wait for it again."""
        self.is_quick, self._is_trusted = False, False

    def fits_loop(self, rows: int) -> bool:
        """Whether the loop may wait for so many rows."""
        return self.is_quick and (rows <= self.cap or (rows <= MOST_ROWS and self.seconds(rows) <= LONGEST_S))

    def seconds(self, rows: int) -> float:
        """How long so many rows will take, in batches of `cap`; 0 if nothing is known yet."""
        return rows * (self._row_s[self.cap.bit_length() - 1] or self._each_s)
