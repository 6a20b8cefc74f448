"""A source: a log of events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from unisono.spec.faults import Faults
from unisono.spec.frozen import Schema, assign
from unisono.spec.types import COLUMN_DTYPES, Bool, DType, Int64, String, Timestamp
from unisono.spec.wording import did_you_mean, listing, quoted

RESERVED = ("request", "features")  # the other namespaces of transforms

_ROLES: Mapping[str, tuple[DType, ...]] = {
    "event_time": (Timestamp,),
    "ingest_time": (Timestamp,),
    "id": (String, Int64),
    "retraction": (Bool,),
}
"""Role of a column -> the dtypes it may have; the first is the one it has where the schema does not say."""


@dataclass(frozen=True, slots=True, init=False)
class Source:
    """A log of events, each of which happened at its event time and was known from its ingest time on.

    name:         names the source in logs and in transforms (a transform's parameter of this name gets its columns).
    schema:       column name -> dtype.
    event_time:   Timestamp column: when it happened.
    ingest_time:  Timestamp column: when our system first had it; None: equal to event time.
    id:           String or Int64 column; events with the same key, id and event time count once.
    retraction:   Bool column; a true row removes the event of the same key, id and event time. Needs `id`.
    remember_ids: for how long ids are remembered by views that span all of history ("30d", timedelta);
                  held as microseconds.
    timezone:     IANA zone of timestamps that carry none; None: such timestamps are refused.

    The columns named by event_time, ingest_time, id and retraction need not be in `schema`.
    Raises DefinitionError with all faults.

    >>> Source("taps", {"user": String}, event_time="at", id="tap").columns
    {'user': String, 'at': Timestamp, 'tap': String}
    """

    name: str
    schema: Schema
    event_time: str
    ingest_time: str | None
    id: str | None
    retraction: str | None
    remember_ids: int | None
    timezone: str | None

    def __init__(
        self,
        name: str,
        schema: Mapping[str, DType],
        *,
        event_time: str,
        ingest_time: str | None = None,
        id: str | None = None,
        retraction: str | None = None,
        remember_ids: str | timedelta | None = None,
        timezone: str | None = None,
    ) -> None:
        faults = Faults("source", name)
        if name in RESERVED:
            seen = f'"{name}" is a namespace of transforms'
            faults.add("name", seen, allowed="any other name", step="rename the source")
        columns = faults.schema("schema", schema, allowed=COLUMN_DTYPES)
        # One column for both times means the same as no ingest time.
        roles = {
            "event_time": event_time,
            "ingest_time": None if ingest_time == event_time else ingest_time,
            "id": id,
            "retraction": retraction,
        }
        _check_roles(faults, roles, columns)
        _check_identity(faults, id, retraction, remember_ids)
        remember_us = None if remember_ids is None else faults.duration("remember_ids", remember_ids)
        _check_timezone(faults, timezone)
        faults.raise_if_any()
        assign(self, name=name, schema=columns, **roles, remember_ids=remember_us, timezone=timezone)

    @property
    def columns(self) -> Schema:
        """Every column with its dtype: the schema, then the columns of event time, ingest time, id and retraction."""
        roles = {getattr(self, role): dtypes[0] for role, dtypes in _ROLES.items()}
        implied = {name: dtype for name, dtype in roles.items() if name is not None and name not in self.schema}
        return Schema({**self.schema, **implied})


def _check_roles(faults: Faults, roles: Mapping[str, str | None], schema: Schema) -> None:
    taken: dict[str, str] = {}
    for role, value in roles.items():
        column = None if value is None and role != "event_time" else faults.name(role, value)
        if column is None:
            continue
        allowed = listing(_ROLES[role])
        if column in taken:
            step = f"give {role} a column of its own"
            faults.add(role, f'"{column}" is already the {taken[column]}', allowed="another column", step=step)
        elif column in schema and schema[column] not in _ROLES[role]:
            step = "change its dtype in the schema"
            faults.add(role, f'"{column}" is {schema[column]} in the schema', allowed=allowed, step=step)
        taken.setdefault(column, role)


def _check_identity(faults: Faults, id: object, retraction: object, remember_ids: object) -> None:
    if id is not None:
        return
    for role, value in (("retraction", retraction), ("remember_ids", remember_ids)):
        if value is not None:
            faults.add(role, f"{quoted(value)} without an id", allowed="only with id=", step="name the id column too")


def _check_timezone(faults: Faults, timezone: object) -> None:
    if timezone is None or (isinstance(timezone, str) and timezone in _zones()):
        return
    step = did_you_mean(timezone, _zones(), otherwise='write e.g. "America/New_York"')
    faults.add("timezone", f"{quoted(timezone)} is not a known time zone", allowed="an IANA name", step=step)


@cache
def _zones() -> frozenset[str]:
    from zoneinfo import available_timezones  # 20 ms, only needed by sources that declare a zone

    return frozenset(available_timezones() - {"localtime", "Factory"})  # those mean something else on each machine
