"""Cron expressions as systemd's calendar events, where both mean the same instants."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from unisono.drivers.schedule.cron import WEEKDAYS, Cron, Field, hours_of_clock_changes
from unisono.spec.errors import InputError
from unisono.spec.wording import listing


def calendar_lines(name: str, cron: Cron, now: datetime) -> list[str]:
    """Values of OnCalendar=; several are a union.

    name: of the schedule, for messages.
    now:  clock changes of the next years are looked at.

    Raises InputError if the clock is changed at an hour of the schedule, since systemd has other rules for that.

    >>> from unisono.drivers.schedule.cron import parse_cron
    >>> calendar_lines("nightly", parse_cron("0 3 * * 1-5"), datetime(2026, 11, 26))
    ['Mon,Tue,Wed,Thu,Fri *-*-* 3:0:00 UTC']
    """
    odd = sorted(hours_of_clock_changes(cron.timezone, now).intersection(cron.hour.values))
    if odd:
        raise InputError(
            f"schedule {name}: the clock of {cron.timezone} is changed at hour {listing(odd)}, where systemd has other "
            "rules; allowed with systemd: other hours, or UTC; change it, or use `unisono schedule run`"
        )
    return list(_lines(cron))


def _lines(cron: Cron) -> Iterator[str]:
    days, weekdays = _listed(cron.day, 1, 31), _weekdays(cron.weekday)
    time = f"{_listed(cron.hour, 0, 23)}:{_listed(cron.minute, 0, 59)}:00 {cron.timezone}"
    month = _listed(cron.month, 1, 12)
    if cron.either_day:
        yield f"*-{month}-{days} {time}"
        yield f"{weekdays}*-{month}-* {time}"
    else:
        yield f"{weekdays}*-{month}-{days} {time}"


def _listed(field: Field, first: int, last: int) -> str:
    return "*" if len(field.values) == last - first + 1 else ",".join(map(str, field.values))


def _weekdays(field: Field) -> str:
    if len(field.values) == len(WEEKDAYS):
        return ""
    return ",".join(WEEKDAYS[value].capitalize() for value in field.values) + " "


def quoted_for_systemd(text: str) -> str:
    """One word of a command line in a unit file.

    >>> print(quoted_for_systemd('echo "$(date +%Y)"'))
    "echo \\"$$(date +%%Y)\\""
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$").replace("%", "%%")
    return f'"{escaped}"'
