"""A table of a database, written in one transaction, which also notes the run's id."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from typing import Any

import polars as pl
import polars.selectors as cs
import sqlalchemy as sa
from sqlalchemy import exc

from unisono.connect.tables.address import Address
from unisono.connect.tables.base import Announce, Staged
from unisono.connect.tables.files import INSTANT, refuse_other_columns
from unisono.connect.tables.sql import engine_of, hidden, patiently, split
from unisono.spec.errors import InputError
from unisono.spec.wording import listing

RUNS = "unisono_runs"
_ROWS_A_STATEMENT = 1000


class SqlSink:
    """A table by SQLAlchemy's URL; it is made if it is not there.

    Its rows are replaced, or added to, in one transaction: readers see all of them or those of before. The table
    `unisono_runs` beside it says which run wrote last.
    """

    def __init__(self, address: Address) -> None:
        self._url, self._table = address.where, address.table
        self.name = f"{hidden(address.where)}#{address.table}"

    def stamp(self) -> str | None:
        """See `Sink`: the id of the run that wrote last."""
        return patiently(self.name, self._stamp)

    def _stamp(self) -> str | None:
        with engine_of(self._url) as engine, engine.connect() as connection:
            if not sa.inspect(connection).has_table(RUNS):
                return None
            runs = _runs()
            return connection.scalar(sa.select(runs.c.run_id).where(runs.c.sink == self._table)) or None

    def check(self, schema: pl.Schema, *, append: bool) -> None:
        """See `Sink`."""
        nested = [name for name, dtype in schema.items() if dtype.is_nested()]
        if nested:
            raise InputError(
                f'{self.name}, column "{nested[0]}": {schema[nested[0]]}; allowed in a database: one value a row; '
                "write to Parquet, or leave the column out with --keep"
            )
        there = patiently(self.name, self._names)
        if there is not None:
            refuse_other_columns(self.name, there, schema.names())

    def _names(self) -> list[str] | None:
        with engine_of(self._url) as engine, engine.connect() as connection:
            inspector = sa.inspect(connection)
            schema, name = split(self._table)
            if not inspector.has_table(name, schema=schema):
                return None
            return [column["name"] for column in inspector.get_columns(name, schema=schema)]

    def keys(self, column: str) -> pl.Series | None:
        """See `Sink`."""
        names = patiently(self.name, self._names)
        if names is None:
            return None
        if column not in names:
            raise InputError(
                f'{self.name}, column "{column}": there is no such column; allowed: {listing(names)}; name one of them'
            )
        return patiently(self.name, lambda: self._column(column))

    def _column(self, column: str) -> pl.Series:
        schema, name = split(self._table)
        with engine_of(self._url) as engine, engine.connect() as connection:
            values: sa.ScalarResult[Any] = connection.scalars(
                sa.select(sa.column(column)).select_from(sa.table(name, schema=schema))
            )
            return pl.Series(column, values.all())

    def publish(self, staged: Staged, announce: Announce) -> None:
        """See `Sink`."""
        announce(staged.run_id)
        patiently(self.name, lambda: self._publish(staged))

    def _publish(self, staged: Staged) -> None:
        if self._stamp() == staged.run_id:  # the try before this one was committed, and its answer was lost
            return
        with engine_of(self._url) as engine:
            self._have_line(engine)
            self._replace(engine, staged)

    def _have_line(self, engine: sa.Engine) -> None:
        """Make the table of runs and the line of this table, each if it is not there."""
        runs = _runs()
        for make in (lambda connection: runs.create(connection, checkfirst=True), self._add_line):
            with suppress(exc.IntegrityError, exc.ProgrammingError), engine.begin() as connection:
                make(connection)  # another run that makes it at the same instant is as good

    def _add_line(self, connection: sa.Connection) -> None:
        runs = _runs()
        if connection.scalar(sa.select(runs.c.sink).where(runs.c.sink == self._table)) is None:
            connection.execute(sa.insert(runs), [{"sink": self._table, "run_id": ""}])

    def _replace(self, engine: sa.Engine, staged: Staged) -> None:
        with engine.begin() as connection:
            frames = map(_as_text, staged.frames()) if engine.dialect.name == "sqlite" else staged.frames()
            first = next(frames)
            table = _table_for(self._table, first.schema)
            runs = _runs()
            # Whoever else writes this table waits here until we are done: its line is ours.
            connection.execute(sa.update(runs).where(runs.c.sink == self._table).values(run_id=staged.run_id))
            table.create(connection, checkfirst=True)
            if not staged.append:
                connection.execute(sa.delete(table))
            for frame in chain([first], frames):
                _add(connection, table, frame)


def _as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """SQLite knows no time zones: instants are kept as text that says theirs."""
    return frame.with_columns(cs.datetime("us", "UTC").dt.strftime(INSTANT))


def _runs() -> sa.Table:
    columns = (sa.Column("sink", sa.String(200), primary_key=True), sa.Column("run_id", sa.String(200), nullable=False))
    return sa.Table(RUNS, sa.MetaData(), *columns)


def _table_for(table: str, schema: pl.Schema) -> sa.Table:
    """How the table is made if it is not there."""
    where, name = split(table)
    return sa.Table(name, sa.MetaData(), *(sa.Column(one, _kind(dtype)) for one, dtype in schema.items()), schema=where)


def _kind(dtype: pl.DataType) -> Any:
    if isinstance(dtype, pl.Decimal):
        return sa.Numeric(38, dtype.scale)
    if isinstance(dtype, pl.Datetime):
        return sa.DateTime(timezone=dtype.time_zone is not None)
    if dtype.is_float():
        return sa.Double()
    if dtype.is_integer():
        return sa.BigInteger()
    return sa.Boolean() if dtype == pl.Boolean else sa.Text()


def _add(connection: sa.Connection, table: sa.Table, frame: pl.DataFrame) -> None:
    if connection.dialect.driver == "psycopg":
        _copy(connection, table, frame)
        return
    for rows in frame.iter_slices(_ROWS_A_STATEMENT):
        connection.execute(sa.insert(table), rows.to_dicts())


def _copy(connection: sa.Connection, table: sa.Table, frame: pl.DataFrame) -> None:
    """PostgreSQL's own way in, 20 times as fast as INSERT."""
    quote = connection.dialect.identifier_preparer
    names = ", ".join(quote.quote(name) for name in frame.columns)
    cursor = connection.connection.cursor()
    with cursor.copy(f"COPY {quote.format_table(table)} ({names}) FROM STDIN (FORMAT CSV)") as copy:
        copy.write(frame.write_csv(include_header=False).encode())
