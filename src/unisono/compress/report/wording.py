"""How figures are written."""

from __future__ import annotations

from collections.abc import Callable

from unisono.compress.report.document import Interval

_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_SAME = 0.015
_COUNTS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def bytes_text(size: float) -> str:
    """A size in decimal units.

    >>> bytes_text(22_900_000)
    '22.9 MB'
    """
    factor, unit = next(((factor, unit) for factor, unit in _UNITS if size >= factor), (1.0, "bytes"))
    return f"{size / factor:.3g} {unit}" if factor > 1 else f"{size:.0f} {unit}"


def count_text(count: float) -> str:
    """A number of things, shortened.

    >>> count_text(22_713_216), count_text(12)
    ('22.7 M', '12')
    """
    factor, unit = next(((factor, unit) for factor, unit in _COUNTS if count >= factor), (1.0, ""))
    return f"{count / factor:.3g} {unit}" if factor > 1 else f"{count:.0f}"


def time_text(milliseconds: float) -> str:
    """A time.

    >>> time_text(0.0123), time_text(34.5)
    ('12.3 µs', '34.5 ms')
    """
    return f"{milliseconds * 1000:.3g} µs" if milliseconds < 1 else f"{milliseconds:.3g} ms"


def energy_text(millijoules: float) -> str:
    """An energy.

    >>> energy_text(0.00002), energy_text(0.5)
    ('0.02 µJ', '500 µJ')
    """
    return f"{millijoules * 1000:.3g} µJ" if millijoules < 1 else f"{millijoules:.3g} mJ"


def points_text(points: float) -> str:
    """Points of 100, as they are.

    >>> points_text(2), points_text(-0.126)
    ('2.0 points', '-0.13 points')
    """
    return f"{points:.1f} points" if abs(points) >= 1 else f"{points:.2g} points"


def ratio_text(ratio: float) -> str:
    """How many times.

    >>> ratio_text(3.456), ratio_text(0.2), ratio_text(8534)
    ('3.46x', '0.2x', '8,534x')
    """
    return f"{ratio:,.0f}x" if ratio >= 1000 else f"{ratio:.3g}x"


def smaller_text(before: float, after: float) -> str:
    """How much less something is than it was.

    >>> smaller_text(8, 2), smaller_text(2, 4), smaller_text(100, 101), smaller_text(3, 0)
    ('4x smaller', '2x larger', 'as before', 'nothing left')
    """
    if not after:
        return "nothing left" if before else "as before"
    if abs(after / (before or 1) - 1) < _SAME:
        return "as before"
    return f"{ratio_text(before / after)} smaller" if before > after else f"{ratio_text(after / (before or 1))} larger"


def percent_text(share: float) -> str:
    """A share.

    >>> percent_text(0.9312)
    '93.1 %'
    """
    return f"{share * 100:.1f} %"


def spread_text(found: Interval, write: Callable[[float], str]) -> str:
    """A number with its interval.

    >>> spread_text(Interval(0.93, 0.91, 0.95), percent_text)
    '93.0 % (91.0 % to 95.0 %)'
    """
    return f"{write(found.value)} ({write(found.low)} to {write(found.high)})"


def change_text(change: Interval) -> str:
    """A change in points of 100, with its interval.

    >>> change_text(Interval(-0.5, -1.25, 0.25))
    '-0.50 points (-1.25 to +0.25)'
    """
    return f"{change.value:+.2f} points ({change.low:+.2f} to {change.high:+.2f})"


def accuracy_name(task: str) -> str:
    """What the accuracy of a task is called.

    >>> accuracy_name("multiclass")
    'accuracy'
    """
    return {"regression": "R2", "outputs": "cosine"}.get(task, "accuracy")


def accuracy_text(task: str) -> Callable[[float], str]:
    """How it is written.

    >>> accuracy_text("binary")(0.93), accuracy_text("regression")(0.93)
    ('93.0 %', '0.9300')
    """
    return percent_text if task in ("binary", "multiclass") else "{:.4f}".format
