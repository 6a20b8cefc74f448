"""What unisono.toml says of schedules and of cost: `[schedules.NAME]` and `[cost]`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from unisono.drivers.schedule.cron import Cron, parse_cron
from unisono.drivers.schedule.names import OutName, parse_out
from unisono.drivers.schedule.rules import CatchUp, Overlap, Rules
from unisono.spec.durations import format_duration, parse_duration
from unisono.spec.errors import DefinitionError, InputError
from unisono.spec.wording import NAME_ALLOWED, is_name, quoted

_Count = Annotated[int, Meta(ge=0, le=1000)]


class Cost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What computing costs.

    per_cpu_hour: price of one core for an hour.
    currency:     what it is in.
    """

    per_cpu_hour: Annotated[float, Meta(ge=0)]
    currency: str = "USD"

    def of(self, cpu_seconds: float) -> float:
        """The price of some work."""
        return self.per_cpu_hour * cpu_seconds / 3600


class ScheduleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One schedule; exactly one of every, on_new_data and on_new_version.

    predictor:       its name.
    out:             file to write; see `names.FIELDS` for what can be in braces.
    every:           cron expression.
    timezone:        of the clock that `every` and the dates in `out` are about.
    on_new_data:     run when the files that it reads have changed.
    on_new_version:  run when another version answers.
    debounce:        how long changed files must have been quiet.
    requests:        file with the requests; None: the predictor's.
    version:         id of the version that answers, or its first digits; None: the champion.
    only_new:        column by which rows are known: `out` gets only those that it lacks; None: it is replaced.
    keep:            columns to write beside the outputs; None: those of the request.
    The others are those of `rules.Rules`, lengths of time as "30s".
    """

    predictor: str
    out: str
    every: str | None = None
    timezone: str = "UTC"
    on_new_data: bool = False
    on_new_version: bool = False
    debounce: str = "30s"
    requests: str | None = None
    version: str | None = None
    only_new: str | None = None
    keep: tuple[str, ...] | None = None
    overlap: Overlap = "skip"
    misfire_grace: str = "5m"
    catch_up: CatchUp = "last"
    catch_up_limit: Annotated[int, Meta(ge=1, le=10_000)] = 24
    retries: _Count = 3
    retry_delay: str = "30s"
    retry_delay_max: str = "1h"


@dataclass(frozen=True, slots=True)
class NewData:
    """When the files that a prediction reads have changed, and were then quiet for a while."""

    debounce: timedelta

    def __str__(self) -> str:
        return f"on new data, once it has been quiet for {format_duration(self.debounce // timedelta(microseconds=1))}"


@dataclass(frozen=True, slots=True)
class NewVersion:
    """When another version answers."""

    def __str__(self) -> str:
        return "on a new version"


When = Cron | NewData | NewVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule, judged.

    name:     unique among a predictor's.
    when:     what makes it run.
    requests, version, only_new, keep: as in ScheduleSettings.
    folder:   what relative paths in `out` and `requests` are relative to; None: the project's.
    """

    name: str
    predictor: str
    when: When
    out: OutName
    rules: Rules
    requests: str | None = None
    version: str | None = None
    only_new: str | None = None
    keep: tuple[str, ...] | None = None
    folder: Path | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What the history knows it by."""
        return self.predictor, self.name


def make_schedule(name: str, settings: ScheduleSettings, *, folder: Path | None = None) -> Schedule:
    """A schedule from its settings. Raises InputError.

    folder: see Schedule.
    """
    if not is_name(name):
        raise InputError(f"name {quoted(name)}; allowed: {NAME_ALLOWED}; rename it")
    return Schedule(
        name=name,
        predictor=settings.predictor,
        when=_when(settings),
        out=parse_out(settings.out, settings.timezone),
        rules=_rules(settings),
        requests=settings.requests,
        version=settings.version,
        only_new=settings.only_new,
        keep=settings.keep,
        folder=folder,
    )


def _when(settings: ScheduleSettings) -> When:
    every = parse_cron(settings.every or "@daily", settings.timezone)  # the zone is that of `out`, too
    data = NewData(_duration("debounce", settings.debounce))
    asked = (settings.every is not None, settings.on_new_data, settings.on_new_version)
    if asked.count(True) != 1:
        raise InputError(
            f"{asked.count(True)} of every, on_new_data and on_new_version; allowed: exactly one; "
            'write e.g. every = "0 3 * * *", or make a schedule of each'
        )
    chosen: dict[tuple[bool, bool, bool], When] = {
        (True, False, False): every,
        (False, True, False): data,
        (False, False, True): NewVersion(),
    }
    return chosen[asked]


def _rules(settings: ScheduleSettings) -> Rules:
    return Rules(
        overlap=settings.overlap,
        misfire_grace=_duration("misfire_grace", settings.misfire_grace),
        catch_up=settings.catch_up,
        catch_up_limit=settings.catch_up_limit,
        retries=settings.retries,
        retry_delay=_duration("retry_delay", settings.retry_delay),
        retry_delay_max=_duration("retry_delay_max", settings.retry_delay_max),
    )


def _duration(name: str, text: str) -> timedelta:
    try:
        return timedelta(microseconds=parse_duration(text))
    except DefinitionError as error:
        raise InputError(f"{name}: {error}") from error
