"""The tables of the history, and their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, Float, Integer, MetaData, RowMapping, String, Table, Text
from sqlalchemy.types import TypeDecorator

from unisono.store.runs.run import Run, State

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class _Instant(TypeDecorator[datetime]):
    """Microseconds since 1970, UTC: the same in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: object) -> int | None:
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: object) -> datetime | None:
        return None if value is None else _EPOCH + value * _MICROSECOND


class _Ids(TypeDecorator[tuple[str, ...]]):
    """Ids as a JSON list."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: object) -> str:
        return msgspec.json.encode(tuple(value or ())).decode()

    def process_result_value(self, value: str | None, dialect: object) -> tuple[str, ...]:
        return msgspec.json.decode(value or "[]", type=tuple[str, ...])


METADATA = MetaData()
RUNS = Table(
    "runs",
    METADATA,
    Column("id", String(400), primary_key=True),
    Column("predictor", String(100), nullable=False, index=True),
    Column("schedule", String(100), nullable=False),
    Column("trigger", String(20), nullable=False),
    Column("scheduled", _Instant, nullable=False, index=True),
    Column("until", _Instant),
    Column("state", String(10), nullable=False, index=True),
    Column("reason", Text),
    Column("failures", Integer, nullable=False),
    Column("claims", Integer, nullable=False),
    Column("owner", String(400)),
    Column("lease_until", _Instant),
    Column("retry_at", _Instant),
    Column("started", _Instant),
    Column("ended", _Instant),
    Column("rows", BigInteger),
    Column("seconds", Float),
    Column("cpu_seconds", Float),
    Column("cost", Float),
    Column("currency", String(20)),
    Column("versions", _Ids, nullable=False),
    Column("output", Text),
    Column("error", Text),
)
SCHEDULES = Table(
    "schedules",
    METADATA,
    Column("predictor", String(100), primary_key=True),
    Column("schedule", String(100), primary_key=True),
    Column("decided_until", _Instant, nullable=False),
)


def row_of(run: Run) -> dict[str, Any]:
    """What the table keeps of a run."""
    return asdict(run)


def run_of(row: RowMapping) -> Run:
    """A run from its row."""
    return Run(**{**row, "state": State(row["state"])})
