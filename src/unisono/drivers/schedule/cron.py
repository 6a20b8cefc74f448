"""Cron expressions: the instants at which a clock on the wall shows what was written.

Five fields, as crontab(5) has them: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday); names
of months and days; lists, ranges, steps; `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. Where both day fields
are restricted, either is enough; where one begins with `*`, both have to hold.

Clock changes. A schedule that names its hours runs each of its times once: a time that the clock leaps over runs at the
leap, a time that comes twice runs the first time. A schedule whose hour begins with `*` follows real time: it runs in
each hour that there is, also in both of the same name, and not in one that is leapt over.

Steps through days and months are APScheduler's, under one UTC offset at a time. Across a change of the offset its
CronTrigger (3.11.3) loses instants: `0 0 * * *` in Europe/Berlin goes from 29 to 31 March 2026.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from unisono.spec.errors import InputError
from unisono.spec.wording import quoted

MINUTE = timedelta(minutes=1)
_YEARS_AHEAD = timedelta(days=5 * 366)
DAY = timedelta(days=1)

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class _Kind(NamedTuple):
    """What one of the five fields can hold; `names` stand for the numbers from `first` on."""

    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()


_KINDS = (
    _Kind("minute", 0, 59),
    _Kind("hour", 0, 23),
    _Kind("day of the month", 1, 31),
    _Kind("month", 1, 12, _MONTHS),
    _Kind("day of the week", 0, 7, WEEKDAYS),
)
_ITEM = re.compile(r"(?:\*|(?P<first>[0-9a-z]+)(?:-(?P<last>[0-9a-z]+))?)(?:/(?P<step>[0-9]{1,4}))?")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a cron expression.

    values:  the numbers that it allows, ascending; Sunday is 0.
    is_open: whether it begins with `*`.
    """

    values: tuple[int, ...]
    is_open: bool


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression in a time zone; see the module for what it means.

    text:     as it was written.
    timezone: name of the zone whose clock it is about.
    """

    text: str
    timezone: str
    minute: Field
    hour: Field
    day: Field
    month: Field
    weekday: Field

    def __str__(self) -> str:
        return f'at "{self.text}" {self.timezone}'

    @property
    def either_day(self) -> bool:
        """Whether one of the two day fields is enough."""
        return not (self.day.is_open or self.weekday.is_open)

    def next_after(self, after: datetime) -> datetime:
        """The first instant after one, in UTC.

        after: with a zone.

        >>> every = parse_cron("30 2 * * *", "Europe/Berlin")
        >>> print(every.next_after(datetime(2026, 3, 28, 12, tzinfo=UTC)))  # 02:30 does not exist on the 29th
        2026-03-29 01:00:00+00:00
        """
        zone = ZoneInfo(self.timezone)
        at = after.astimezone(UTC).replace(second=0, microsecond=0)
        start = at + MINUTE
        while True:
            offset = _offset(zone, at)
            found = self._next_under(offset, start)
            change = _next_change(zone, at, found)
            if change is None:
                if not self._was_before(found, zone):
                    return found
                at, start = found, found + MINUTE
            elif not self.hour.is_open and found < change + _offset(zone, change) - offset:
                return change  # a time that the clock leaps over
            else:
                at = start = change

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Its instants after one and up to another, in UTC, ascending."""
        instant = self.next_after(after)
        while instant <= until:
            yield instant
            instant = self.next_after(instant)

    def _next_under(self, offset: timedelta, start: datetime) -> datetime:
        """The first instant from `start` on, if the offset never changed."""
        found: datetime = _trigger(self, offset).get_next_fire_time(None, start)
        return found.astimezone(UTC)

    def _was_before(self, instant: datetime, zone: ZoneInfo) -> bool:
        """Whether the clock shows a time that it has shown before, which counts for open hours only."""
        return not self.hour.is_open and instant.astimezone(zone).fold == 1


def parse_cron(text: str, timezone: str = "UTC") -> Cron:
    """A cron expression. Raises InputError if it is not one, never holds, or the zone is unknown.

    >>> parse_cron("*/15 8-9 * * mon-fri").hour.values
    (8, 9)
    """
    _check_zone(timezone)
    fields = MACROS.get(text.strip(), text).lower().split()
    if len(fields) != len(_KINDS):
        raise InputError(
            f"schedule {quoted(text)}: {len(fields)} fields; allowed: 5 (minute, hour, day of the month, month, day of "
            f'the week) or {", ".join(MACROS)}; write e.g. "0 3 * * *"'
        )
    minute, hour, day, month, weekday = (_field(field, kind, text) for field, kind in zip(fields, _KINDS, strict=True))
    cron = Cron(text, timezone, minute, hour, day, month, _sundays(weekday))
    if not cron.either_day and not any(
        number <= monthrange(2024, place)[1] for number in day.values for place in month.values
    ):
        raise InputError(f"schedule {quoted(text)}: no month has this day; allowed: a date that exists; correct it")
    return cron


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InputError(
            f'timezone {quoted(name)}: unknown; allowed: names of the IANA database; write e.g. "Europe/Berlin"'
        ) from error


def _field(text: str, kind: _Kind, whole: str) -> Field:
    values = {value for item in text.split(",") for value in _values(item, kind, whole)}
    return Field(tuple(sorted(values)), text.startswith("*"))


def _values(item: str, kind: _Kind, whole: str) -> range:
    match = _ITEM.fullmatch(item)
    if match is None:
        raise _not_a_field(item, kind, whole)
    if match["first"] is None:
        first, last = kind.first, min(kind.last, kind.first + len(kind.names) - 1) if kind.names else kind.last
    else:
        first = _number(match["first"], kind, whole)
        last = first if match["last"] is None else _number(match["last"], kind, whole)
    step = int(match["step"] or 1)
    is_single = match["first"] is not None and match["last"] is None and match["step"] is not None
    if first > last or step == 0 or is_single:
        raise _not_a_field(item, kind, whole)
    return range(first, last + 1, step)


def _number(text: str, kind: _Kind, whole: str) -> int:
    number = kind.first + kind.names.index(text) if text in kind.names else int(text) if text.isdecimal() else -1
    if not kind.first <= number <= kind.last:
        raise _not_a_field(text, kind, whole)
    return number


def _not_a_field(item: str, kind: _Kind, whole: str) -> InputError:
    names = f" or {kind.names[0]}-{kind.names[-1]}" if kind.names else ""
    return InputError(
        f"schedule {quoted(whole)}: {kind.name} {quoted(item)}; allowed: {kind.first}-{kind.last}{names}, "
        "ascending ranges a-b, steps */n or a-b/n, lists a,b; correct it"
    )


def _sundays(weekday: Field) -> Field:
    """Sunday can be written 0 or 7."""
    return Field(tuple(sorted({value % len(WEEKDAYS) for value in weekday.values})), weekday.is_open)


@lru_cache(maxsize=1024)
def _trigger(cron: Cron, offset: timedelta) -> Any:
    """APScheduler's trigger for a clock that is never changed; days by name, since its 0 is Monday."""
    from apscheduler.triggers.combining import OrTrigger
    from apscheduler.triggers.cron import CronTrigger

    shared = {
        "month": _listed(cron.month.values),
        "hour": _listed(cron.hour.values),
        "minute": _listed(cron.minute.values),
        "second": "0",
        "timezone": timezone(offset),
    }
    day, weekday = _listed(cron.day.values), ",".join(WEEKDAYS[value] for value in cron.weekday.values)
    if cron.either_day:
        return OrTrigger([CronTrigger(day=day, **shared), CronTrigger(day_of_week=weekday, **shared)])
    return CronTrigger(day=day, day_of_week=weekday, **shared)


def _listed(values: tuple[int, ...]) -> str:
    return ",".join(map(str, values))


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta(0)


def _next_change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """The first instant after `start`, up to `end`, at which the zone's offset is another; to the minute.

    Offsets are looked at once a day: no zone changed its clock twice within one.
    """
    before = start
    while before < end:
        after = min(before + DAY, end)
        if _offset(zone, after) != _offset(zone, before):
            return _bisected(zone, before, after)
        before = after
    return None


def hours_of_clock_changes(timezone: str, now: datetime) -> set[int]:
    """The hours, by a zone's clock, that are leapt over or come twice in the next years."""
    zone, hours = ZoneInfo(timezone), set[int]()
    at, end = now.astimezone(UTC).replace(second=0, microsecond=0), now.astimezone(UTC) + _YEARS_AHEAD
    while (change := _next_change(zone, at, end)) is not None:
        old, new = ((change + _offset(zone, moment)) for moment in (change - MINUTE, change))
        wall = min(old, new)
        while wall < max(old, new):
            hours.add(wall.hour)
            wall += MINUTE
        at = change
    return hours


def _bisected(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    while after - before > MINUTE:
        middle = before + (after - before) // MINUTE // 2 * MINUTE
        if _offset(zone, middle) == _offset(zone, before):
            before = middle
        else:
            after = middle
    return after
