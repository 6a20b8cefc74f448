"""Lengths of time as whole microseconds, and the range of times."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import NamedTuple

from unisono.spec.errors import DefinitionError
from unisono.spec.wording import quoted

UNITS_US = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
MAX_DURATION_US = 36_525 * UNITS_US["d"]  # 100 years

# The years 1 to 9999, which datetime, Arrow and SQL agree on. Time minus the longest window cannot leave int64.
EARLIEST_US = -62_135_596_800_000_000
LATEST_US = 253_402_300_799_999_999

_DURATION = re.compile(r"(-?[0-9]{1,18})(us|ms|s|m|h|d|w)")
_ALLOWED = "from 1us to 36525d (100 years), units us ms s m h d w"
_STEP = 'write e.g. "6h"'
_SHORTER = "write a shorter one; a window over all of history is None"


class DurationProblem(NamedTuple):
    """Why something is not a duration, in the three parts of a fault."""

    seen: str
    allowed: str = _ALLOWED
    step: str = _STEP


def parse_duration(value: str | timedelta) -> int:
    """A length of time in microseconds, from 1 µs to 100 years. Raises DefinitionError.

    value: a whole number and one unit of us, ms, s, m, h, d, w; or a datetime.timedelta.

    >>> parse_duration("1h"), parse_duration(timedelta(milliseconds=2))
    (3600000000, 2000)
    """
    duration = judge_duration(value)
    if isinstance(duration, DurationProblem):
        raise DefinitionError(f"duration: {duration.seen}; allowed: {duration.allowed}; {duration.step}")
    return duration


def judge_duration(value: object) -> int | DurationProblem:
    """Like parse_duration, for whatever was written; returns the problem in place of raising."""
    if isinstance(value, timedelta):
        return _in_range(value // timedelta(microseconds=1), str(value))
    if not isinstance(value, str):
        return DurationProblem(f"{quoted(value)} is not a duration", "a str or a timedelta")
    match = _DURATION.fullmatch(value)
    if match is None:
        return DurationProblem(f"{quoted(value)} is not a whole number and one unit")
    return _in_range(int(match[1]) * UNITS_US[match[2]], f'"{value}"')


def _in_range(duration_us: int, seen: str) -> int | DurationProblem:
    if duration_us <= 0:
        return DurationProblem(f"{seen} is not longer than zero")
    if duration_us > MAX_DURATION_US:
        return DurationProblem(f"{seen} is longer than 100 years", step=_SHORTER)
    return duration_us


def format_duration(duration_us: int) -> str:
    """The canonical text of a duration: a whole number of the largest unit that divides it.

    >>> format_duration(21_600_000_000), format_duration(90_000_000)
    ('6h', '90s')
    """
    unit = next(unit for unit in reversed(UNITS_US) if duration_us % UNITS_US[unit] == 0)
    return f"{duration_us // UNITS_US[unit]}{unit}"


def name_duration(value: str | timedelta) -> str:
    """The text that names a valid duration in a feature's name: as the user wrote it, a timedelta in canonical form.

    >>> name_duration("7d"), name_duration("24h"), name_duration(timedelta(minutes=90))
    ('7d', '24h', '90m')
    """
    if isinstance(value, timedelta):
        return format_duration(parse_duration(value))
    return value.lstrip("0")


def is_time(time_us: int) -> bool:
    """Whether an instant (microseconds since 1970, UTC) lies in the years 1 to 9999.

    >>> is_time(0), is_time(2**62)
    (True, False)
    """
    return EARLIEST_US <= time_us <= LATEST_US
