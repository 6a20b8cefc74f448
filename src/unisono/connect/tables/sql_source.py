"""A table of a database, read by one statement into a copy: what it holds at one instant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy import exc

from unisono.connect.tables.address import Address
from unisono.connect.tables.files import COPY_GROUP_ROWS, copy_in, digest_of, whole_file
from unisono.connect.tables.sql import engine_of, hidden, patiently, split
from unisono.connect.tables.stored import StoredRows
from unisono.spec.errors import InputError, StoreError
from unisono.spec.wording import one_line

_DTYPES: tuple[tuple[Any, pl.DataType], ...] = (
    (sa.Boolean, pl.Boolean()),
    (sa.Integer, pl.Int64()),
    (sa.Float, pl.Float64()),
    (sa.String, pl.String()),
    (sa.Date, pl.Date()),
)
"""SQLAlchemy's type -> ours; the first that fits."""


class SqlSource:
    """A table by SQLAlchemy's URL. Rows are in the order of the primary key, if there is one."""

    def __init__(self, address: Address) -> None:
        self._url, self._table = address.where, address.table
        self.name = f"{hidden(address.where)}#{address.table}"

    def snapshot(self) -> str | None:
        """None: only the copy can be told. See `Source`."""
        return None

    def open(self, folder: Path) -> StoredRows:
        """See `Source`."""
        copy = copy_in(folder)
        patiently(self.name, lambda: self._copy(copy))
        return StoredRows(self.name, [copy], digest_of(copy))

    def _copy(self, copy: Path) -> None:
        with engine_of(self._url) as engine, engine.connect() as connection:
            table = self._described(connection)
            statement = sa.select(table).order_by(*table.primary_key.columns)
            streamed = connection.execution_options(stream_results=True, max_row_buffer=COPY_GROUP_ROWS)
            with whole_file(copy) as partial:
                self._write(_frames(streamed.execute(statement), table), partial)

    def _described(self, connection: sa.Connection) -> sa.Table:
        schema, name = split(self._table)
        try:
            return sa.Table(name, sa.MetaData(), schema=schema, autoload_with=connection)
        except exc.NoSuchTableError as error:
            raise StoreError(f"{self.name}: there is no such table; allowed: one that is there; correct it") from error

    def _write(self, frames: Iterator[pl.DataFrame], path: Path) -> None:
        try:
            first = next(frames).to_arrow()
            with pq.ParquetWriter(path, first.schema, compression="lz4") as writer:
                writer.write_table(first)
                for frame in frames:
                    writer.write_table(frame.to_arrow().cast(first.schema))
        except (pl.exceptions.PolarsError, TypeError) as error:
            raise InputError(
                f"{self.name}: values that do not fit their columns ({one_line(error)}); allowed: whole numbers, "
                "floats, text, booleans, timestamps, decimals; select from a view that casts the others"
            ) from error


def _frames(result: sa.CursorResult[Any], table: sa.Table) -> Iterator[pl.DataFrame]:
    """The rows, so many at a time; at least one frame."""
    schema = {column.name: _dtype(column.type) for column in table.columns}
    empty = True
    for rows in result.partitions(COPY_GROUP_ROWS):
        empty = False
        yield pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")
    if empty:
        yield pl.DataFrame(schema=schema)


def _dtype(kind: sa.types.TypeEngine[Any]) -> pl.DataType:
    if isinstance(kind, sa.Numeric) and not isinstance(kind, sa.Float):
        return pl.Decimal(38, kind.scale or 0)
    if isinstance(kind, sa.DateTime):
        return pl.Datetime("us", "UTC" if kind.timezone else None)
    return next((ours for theirs, ours in _DTYPES if isinstance(kind, theirs)), pl.String())
