"""What reading and writing of SQL tables share: engines by URL, and patience with a database that restarts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.pool import NullPool

from unisono.spec.errors import StoreError
from unisono.spec.wording import one_line

Result = TypeVar("Result")

PAUSES_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""How long is waited before each further try, when the database does not answer."""

_GONE = (exc.OperationalError, exc.InterfaceError, exc.InternalError)


@contextmanager
def engine_of(url: str) -> Iterator[sa.Engine]:
    """An engine without a pool. Raises StoreError if the URL is wrong or its driver is not installed."""
    try:
        parsed = sa.make_url(url)
        engine = sa.create_engine(_with_driver(parsed), poolclass=NullPool)
    except (exc.ArgumentError, exc.NoSuchModuleError, ImportError) as error:
        raise StoreError(
            f"{hidden(url)}: cannot be opened ({one_line(error)}); allowed: a database's URL as SQLAlchemy has it, "
            "e.g. postgresql://host/name or sqlite:///file.db; correct it, or install the driver"
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _leave_transactions_to_us)
        event.listen(engine, "begin", _begin)
    try:
        yield engine
    finally:
        engine.dispose()


def _with_driver(url: sa.URL) -> sa.URL:
    """PostgreSQL by psycopg 3, the driver of the extra `postgres`, unless another one is named."""
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url


def _leave_transactions_to_us(connection: object, record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def hidden(url: str) -> str:
    """A URL without its password."""
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except exc.ArgumentError:
        return url.partition("://")[0] + "://..."


def patiently(name: str, attempt: Callable[[], Result]) -> Result:
    """What an attempt returns; it is tried again while the database does not answer.

    name: of the table, for messages.

    Raises StoreError once patience is over, or if the database says no.
    """
    for pause_s in (*PAUSES_S, None):
        try:
            return attempt()
        except _GONE as error:
            if pause_s is None:
                raise _refused(name, error) from error
            time.sleep(pause_s)
        except exc.SQLAlchemyError as error:
            raise _refused(name, error) from error
    raise AssertionError  # the loop ends above


def _refused(name: str, error: exc.SQLAlchemyError) -> StoreError:
    seen = one_line(getattr(error, "orig", None) or error)
    return StoreError(f"{name}: the database says: {seen}; nothing was changed; correct that and run the same again")


def split(table: str) -> tuple[str | None, str]:
    """SCHEMA.TABLE as both; without a schema it is the database's own default."""
    schema, dot, name = table.rpartition(".")
    return (schema, name) if dot else (None, table)
