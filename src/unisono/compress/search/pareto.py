"""Points that no other point beats in everything, and how much they cover."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether one point is nowhere worse and somewhere better; lower is better."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)


def front(points: Sequence[Sequence[float]]) -> list[int]:
    """The places of the points that none dominates; of equal points the first.

    >>> front([(1, 3), (2, 2), (3, 3), (2, 2)])
    [0, 1]
    """
    return [
        place
        for place, one in enumerate(points)
        if not any(dominates(other, one) for other in points) and tuple(one) not in map(tuple, points[:place])
    ]


def hypervolume(points: Sequence[Sequence[float]], reference: Sequence[float]) -> float:
    """How much of the space below a reference the points dominate together; lower is better, more is better of this.

    Zitzler, Thiele, 1998. Cut into slices along the last objective, which is quick enough for the hundreds of points
    of a search.

    >>> hypervolume([(1, 3), (2, 2)], (4, 4))
    5.0
    """
    inside = np.array([one for one in points if all(a < b for a, b in zip(one, reference, strict=True))], np.float64)
    return _volume(inside, np.asarray(reference, np.float64)) if len(inside) else 0.0


def _volume(points: Points, reference: Points) -> float:
    if len(reference) == 1:
        return float(reference[0] - points.min())
    ordered = points[np.argsort(points[:, -1], kind="stable")]
    ends = np.append(ordered[1:, -1], reference[-1])
    total = 0.0
    for count, (begin, end) in enumerate(zip(ordered[:, -1], ends, strict=True), start=1):
        if end > begin:
            total += float(end - begin) * _volume(ordered[:count, :-1], reference[:-1])
    return total
