"""Databases by URL: SQLite in a file, or PostgreSQL. A change is one transaction; an error says the next step."""

from __future__ import annotations

import sqlite3
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    event,
    exc,
    func,
    insert,
    inspect,
    make_url,
    select,
)

from unisono.spec.errors import StoreError
from unisono.spec.wording import one_line, quoted

PATIENCE_S = 30
"""How long a change waits for another process's."""

ALLOWED = "sqlite:///FILE, postgresql://USER@HOST/DATABASE, or the path of a SQLite file"

_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_IMMEDIATE = "unisono_immediate"
_READING: Mapping[str, Mapping[str, Any]] = {
    "sqlite": {},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
_WRITING: Mapping[str, Mapping[str, Any]] = {
    "sqlite": {_IMMEDIATE: True},
    "postgresql": {"isolation_level": "READ COMMITTED"},  # what waited for a lock sees what the other has done
}
_MAKING_TABLES = 0x756E69736F6E6F  # number of PostgreSQL's lock for it

_formats = Table(
    "unisono_formats",
    MetaData(),
    Column("part", Text, primary_key=True),
    Column("format", Integer, nullable=False),
)


def open_database(url: str, *, folder: Path | None = None) -> Database:
    """A database, opened; a SQLite file is made if there is none.

    url:    `sqlite:///FILE`, `postgresql://USER@HOST/DATABASE`, or the path of a SQLite file.
    folder: what a relative path of a SQLite file is relative to; None: the current folder.

    Raises StoreError for another URL, or if it cannot be reached. No message shows a password.
    """
    parsed = _parsed(url, folder)
    engine = _sqlite_engine(parsed) if parsed.get_backend_name() == "sqlite" else _postgres_engine(parsed)
    return Database(engine, shown(parsed))


def shown(url: URL) -> str:
    """A database as a message may show it: the file of SQLite, else the URL without password and options."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.set(drivername=url.get_backend_name(), password=None, query={}).render_as_string()


class Database:
    """A database that is open; made by `open_database`. Threads may share it; forked processes may not.

    name: its URL, fit to be shown.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self.name = name
        self._reading = engine.execution_options(**_READING[engine.dialect.name])
        self._writing = engine.execution_options(**_WRITING[engine.dialect.name])
        self._dispose = weakref.finalize(self, engine.dispose)

    def close(self) -> None:
        """Close its connections; forgetting it does the same."""
        self._dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one state of the database, whatever others change meanwhile."""
        with self._told(), self._reading.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: kept whole at its end, or not at all if anything raises.

        SQLite has one writer at a time. On PostgreSQL others write too: lock the rows that are read to be changed.
        """
        with self._told(), self._writing.connect() as connection, connection.begin():
            yield connection

    def keep(self, part: str, tables: MetaData, *, format: int) -> None:
        """Make the tables of one part of unisono, unless they are there.

        part:   what they are for, e.g. "registry".
        format: goes up when the tables change.

        Raises StoreError for tables of another format.
        """
        with self.read() as connection:
            found = _format_of(connection, part)
        if found is None:
            found = self._make(part, tables, format)
        if found != format:
            step = "use the unisono that wrote it" if found < format else "upgrade unisono"
            raise StoreError(f"{self.name}: the {part} is of format {found}; allowed: {format}; {step}")

    def _make(self, part: str, tables: MetaData, format: int) -> int:
        with self.write() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_MAKING_TABLES)))
            _formats.create(connection, checkfirst=True)
            found = _format_of(connection, part)  # another process may have been first
            if found is None:
                tables.create_all(connection)
                connection.execute(insert(_formats).values(part=part, format=format))
            return format if found is None else found

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except exc.SQLAlchemyError as error:
            said = str(getattr(error, "orig", None) or error).partition("\n")[0]
            raise StoreError(f"{self.name}: {one_line(said)}; {_step_after(said)}") from error


def _format_of(connection: Connection, part: str) -> int | None:
    if not inspect(connection).has_table(_formats.name):
        return None
    return connection.scalar(select(_formats.c.format).where(_formats.c.part == part))


def _parsed(url: str, folder: Path | None) -> URL:
    if "://" not in url:
        return URL.create("sqlite+pysqlite", database=str((folder or Path()) / url))
    scheme = url.partition("://")[0]
    try:
        parsed = make_url(url)
        driver = _DRIVERS[scheme]
    except (KeyError, ValueError, exc.ArgumentError):  # what they say may have a password in it
        raise StoreError(
            f"database {quoted(scheme)}://...: not a URL of a database; allowed: {ALLOWED}; correct it"
        ) from None
    if parsed.get_backend_name() == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise StoreError(f"database {url}: no file; allowed: {ALLOWED}; name a file")
        parsed = parsed.set(database=str((folder or Path()) / str(parsed.database)))
    return parsed.set(drivername=driver)


def _postgres_engine(url: URL) -> Engine:
    try:
        engine = create_engine(url, pool_pre_ping=True, hide_parameters=True)
    except ImportError as error:
        step = "install it: `pip install unisono[postgres]`"
        raise StoreError(f"{shown(url)}: psycopg, PostgreSQL's client, is not installed; {step}") from error
    event.listen(engine, "connect", _prepare_postgres)
    return engine


def _prepare_postgres(connection: Any, _: object) -> None:
    connection.execute(f"SET lock_timeout = '{PATIENCE_S}s'")
    connection.commit()


def _sqlite_engine(url: URL) -> Engine:
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        said = f"its folder cannot be made ({error.strerror})"
        raise StoreError(f"{shown(url)}: {said}; correct the path, or who may write there") from error
    engine = create_engine(url, connect_args={"timeout": PATIENCE_S}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # the module's own BEGIN comes too late, and is never IMMEDIATE
    connection.execute("PRAGMA foreign_keys = ON")
    _use_wal(connection)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Readers go on while one writes. Once set it stays; while it is being set, others are turned away at once."""
    deadline = time.monotonic() + PATIENCE_S
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that becomes a writer's only at its first change may find that it has read what is no longer so.
    immediate = connection.get_execution_options().get(_IMMEDIATE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


_STEPS = (
    (("locked", "lock timeout"), f"another process has held it for {PATIENCE_S} s; run again once that is done"),
    (("full", "No space"), "make room and run again"),
    (("unable to open", "readonly", "read-only", "permission denied"), "correct the path, or who may write there"),
    (("not a database", "malformed"), "restore it from a copy"),
    (("authentication", "password"), "give the password in PGPASSWORD or ~/.pgpass, or correct the user"),
    (("does not exist",), "make it, or correct the URL"),
    (("onnect",), "start the server, or correct the URL"),
)


def _step_after(said: str) -> str:
    steps = (step for signs, step in _STEPS if any(sign in said for sign in signs))
    return next(steps, "see that the database is well, then run again")
