"""Shares of rows, alone and paired."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import stats

from unisono.compress.report.document import Interval

CONFIDENCE = 0.95
_HALVINGS = 60


def share(hits: int, rows: int, confidence: float = CONFIDENCE) -> Interval:
    """A share of some rows, 0 to 1, with the score interval of Wilson, 1927; all that is possible if there is no row.

    >>> found = share(8, 10)
    >>> round(found.low, 3), found.value, round(found.high, 3)
    (0.49, 0.8, 0.943)
    """
    if not rows:
        return Interval(0.0, 0.0, 1.0)
    found = stats.binomtest(hits, rows).proportion_ci(confidence, method="wilson")
    return Interval(hits / rows, float(found.low), float(found.high))


def paired_change(gained: int, lost: int, rows: int, confidence: float = CONFIDENCE) -> Interval:
    """What a share changed by, -1 to 1, where the same rows were looked at twice: the score interval of Tango, 1998.

    gained: rows that only the second look has right.
    lost:   rows that only the first has.
    rows:   all, at least one.

    It holds what it should also where nearly nothing changed, and where nothing did it is not empty: 100 rows without a
    change do not say that nothing ever changes.

    >>> found = paired_change(0, 0, 100)
    >>> round(found.low, 3), found.value, round(found.high, 3)
    (-0.037, 0.0, 0.037)
    """
    quantile = float(stats.norm.ppf(0.5 + confidence / 2))
    value = (gained - lost) / rows
    low = _end(-1.0, value, gained, lost, rows, quantile)
    high = _end(1.0, value, gained, lost, rows, quantile)
    return Interval(value, min(low, value), max(high, value))


def _end(outside: float, inside: float, gained: int, lost: int, rows: int, quantile: float) -> float:
    """Where the score test begins to refuse, between a value that it refuses and one that it does not."""
    for _ in range(_HALVINGS):
        middle = (outside + inside) / 2
        if abs(_distance(middle, gained, lost, rows)) > quantile:
            outside = middle
        else:
            inside = middle
    return inside


def _distance(change: float, gained: int, lost: int, rows: int) -> float:
    """How many standard deviations what was seen is from a change, under the likeliest shares that have this change."""
    second = -gained - lost + (2 * rows - gained + lost) * change
    third = -lost * change * (1 - change)
    share_lost = (math.sqrt(max(second * second - 8 * rows * third, 0.0)) - second) / (4 * rows)
    variance = rows * (2 * share_lost + change * (1 - change))
    gap = gained - lost - rows * change
    if variance <= 0:
        return 0.0 if gap == 0 else math.copysign(math.inf, gap)
    return gap / math.sqrt(variance)


def unchanged(gained: int, lost: int) -> float:
    """The chance of so many changes to one side if neither is likelier: the exact test of McNemar, 1947.

    >>> unchanged(0, 5)
    0.0625
    """
    if gained + lost == 0:
        return 1.0
    return float(stats.binomtest(lost, gained + lost, 0.5).pvalue)


def corrected(chances: Sequence[float]) -> list[float]:
    """Chances of many questions, so that under 5 % stays under 5 % of all of them together: Holm, 1979.

    >>> [round(one, 2) for one in corrected([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    found = [0.0] * len(chances)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        largest = max(largest, min(1.0, (len(chances) - rank) * chances[place]))
        found[place] = largest
    return found
