"""Names that a schedule makes: of a run, and of the file that it writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Formatter
from typing import NamedTuple
from zoneinfo import ZoneInfo

from unisono.spec.errors import InputError
from unisono.spec.wording import listing, quoted

FIELDS = {
    "predictor": "its name",
    "schedule": "its name",
    "run_id": "the run's id",
    "date": "the scheduled day, 2026-11-26",
    "time": "the scheduled time of day, 0300",
    "scheduled:FORMAT": "the scheduled instant, e.g. {scheduled:%Y/%m/%d}",
}
"""What an output's name may hold in braces, and what it becomes."""

_SHORT = {"date": "%Y-%m-%d", "time": "%H%M"}
_FORMAT = re.compile(r"(?:%[YmdHMSjGVu]|[A-Za-z0-9_./-])+")
_FORMAT_ALLOWED = "%Y %m %d %H %M %S %j %G %V %u and letters, digits, _ . / -"


def run_id(predictor: str, schedule: str, occasion: str) -> str:
    """The identity of a run: fit for a file's name, equal for whoever computes it.

    occasion: which run of the schedule; see `instant_id`.

    >>> run_id("late", "nightly", instant_id(datetime(2026, 11, 26, 3, tzinfo=UTC)))
    'late.nightly.20261126T030000Z'
    """
    return f"{predictor}.{schedule}.{occasion}"


def instant_id(instant: datetime) -> str:
    """An instant, to the second, in UTC."""
    return f"{instant.astimezone(UTC):%Y%m%dT%H%M%SZ}"


class Dialect(NamedTuple):
    """How another program writes part of a command.

    literal: text that means itself.
    date:    the scheduled instant in a format of strftime, by the clock of a time zone.
    """

    literal: Callable[[str], str]
    date: Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class OutName:
    """The name of a run's output, with fields of `FIELDS` in braces.

    text:     as it was written; `parse_out` has judged it.
    timezone: of the clock that dates and times are read from.
    """

    text: str
    timezone: str

    def of(self, *, predictor: str, schedule: str, run: str, scheduled: datetime) -> str:
        """The name for one run.

        >>> nightly = parse_out("scores/{date}.parquet", "Europe/Berlin")
        >>> scheduled = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)
        >>> nightly.of(predictor="late", schedule="nightly", run="", scheduled=scheduled)
        'scores/2026-11-26.parquet'
        """
        wall = scheduled.astimezone(ZoneInfo(self.timezone))
        values = {"predictor": predictor, "schedule": schedule, "run_id": run, "scheduled": wall}
        return self.text.format(**values, **{name: f"{wall:{format}}" for name, format in _SHORT.items()})

    def in_words_of(self, dialect: Dialect, fixed: Mapping[str, str]) -> str:
        """The same for a program that puts in the dates itself.

        dialect: how it writes text and dates.
        fixed:   what stands for the fields without a date; already in its words.
        """
        parts = []
        for literal, name, spec, _ in Formatter().parse(self.text):
            parts.append(dialect.literal(literal) if literal else "")
            if name is not None:
                format = spec if name == "scheduled" else _SHORT.get(name)
                parts.append(fixed[name] if format is None else dialect.date(format or "", self.timezone))
        return "".join(parts)


def parse_out(text: str, timezone: str = "UTC") -> OutName:
    """The name of an output. Raises InputError for a field that is unknown, or a format that could name anything."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError as error:
        raise InputError(f"out {quoted(text)}: {error}; allowed: {_fields()}; close or double the brace") from error
    for _, name, spec, conversion in parts:
        if name is not None:
            _check_field(text, name, spec or "", conversion)
    return OutName(text, timezone)


def has_field(text: str) -> bool:
    """Whether a name of an output has one of the fields in it, hence another value for each run."""
    return any("{" + field.partition(":")[0] in text for field in FIELDS)


def _check_field(text: str, name: str, spec: str, conversion: str | None) -> None:
    known = {field.partition(":")[0] for field in FIELDS}
    if name not in known or conversion is not None or (spec and name != "scheduled"):
        seen = "{" + name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "") + "}"
        raise InputError(f"out {quoted(text)}: {quoted(seen)}; allowed: {_fields()}; use one of these")
    if name == "scheduled" and _FORMAT.fullmatch(spec) is None:
        raise InputError(
            f"out {quoted(text)}: the format {quoted(spec)} of scheduled; allowed: {_FORMAT_ALLOWED}; "
            'write e.g. "{scheduled:%Y-%m-%d}"'
        )


def _fields() -> str:
    return listing("{" + name + "}" for name in FIELDS)
