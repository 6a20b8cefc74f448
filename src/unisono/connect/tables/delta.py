"""Delta Lake tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from unisono.connect.tables.address import Address
from unisono.connect.tables.base import Announce, Staged
from unisono.connect.tables.files import COPY_GROUP_ROWS, copied, key_column, refuse_other_columns, writing
from unisono.connect.tables.stored import StoredRows
from unisono.spec.errors import InputError, StoreError
from unisono.spec.wording import one_line

_RUN = "unisono_run"  # key in the metadata of a commit


def _deltalake() -> Any:
    try:
        import deltalake
    except ImportError as error:
        raise StoreError("Delta tables need the library deltalake; install it: pip install 'unisono[delta]'") from error
    return deltalake


class DeltaSource:
    """A Delta table at its newest version, copied: which files make it up is for its library to say."""

    def __init__(self, address: Address) -> None:
        self._path = address.path
        self.name = str(address)

    def _table(self) -> Any:
        if not (self._path / "_delta_log").is_dir():
            raise StoreError(f"{self.name}: there is no Delta table; allowed: a folder with _delta_log; correct it")
        return _deltalake().DeltaTable(str(self._path))

    def snapshot(self) -> str | None:
        """See `Source`."""
        table = self._table()
        return f"{table.metadata().id}@{table.version()}"

    def open(self, folder: Path) -> StoredRows:
        """See `Source`."""
        return copied(self.name, folder, self.snapshot() or "", self._copy)

    def _copy(self, target: Path) -> None:
        import pyarrow.parquet as pq

        try:
            rows = self._table().to_pyarrow_dataset()
        except Exception as error:  # its errors have no common class
            raise InputError(
                f"{self.name}: not readable ({one_line(error)}); allowed: a table of readers' version 1 or 2, without "
                "deletion vectors; optimise it, or export it"
            ) from error
        with pq.ParquetWriter(target, rows.schema, compression="lz4") as writer:
            for batch in rows.to_batches(batch_size=COPY_GROUP_ROWS):
                writer.write_batch(batch)


class DeltaSink:
    """A Delta table, written in one commit, which says the run's id."""

    def __init__(self, address: Address) -> None:
        self.path = address.path
        self.name = str(address)
        if not self.path.parent.is_dir():
            raise StoreError(f"{self.path}: there is no folder {self.path.parent}; make it, or write elsewhere")
        _deltalake()

    def _table(self) -> Any | None:
        return _deltalake().DeltaTable(str(self.path)) if (self.path / "_delta_log").is_dir() else None

    def _names(self, table: Any) -> list[str]:
        return [field.name for field in table.schema().fields]

    def stamp(self) -> str | None:
        """See `Sink`: the id of the run that wrote last, unless somebody else did."""
        table = self._table()
        writes = [] if table is None else [entry for entry in table.history() if entry.get("operation") != "OPTIMIZE"]
        return None if not writes else writes[0].get(_RUN) or f"version {writes[0].get('version')}"

    def check(self, schema: pl.Schema, *, append: bool) -> None:
        """See `Sink`."""
        table = self._table() if append else None
        if table is not None:
            refuse_other_columns(self.name, self._names(table), schema.names())

    def keys(self, column: str) -> pl.Series | None:
        """See `Sink`."""
        table = self._table()
        return None if table is None else key_column(self.name, pl.scan_delta(table), column)

    def publish(self, staged: Staged, announce: Announce) -> None:
        """See `Sink`."""
        import pyarrow as pa

        deltalake = _deltalake()
        batches = _batches(staged)
        first = next(batches)
        rows = pa.RecordBatchReader.from_batches(first.schema, _chain(first, batches))
        announce(staged.run_id)
        try:
            with writing(self.path):
                deltalake.write_deltalake(
                    str(self.path),
                    rows,
                    mode="append" if staged.append else "overwrite",
                    schema_mode=None if staged.append else "overwrite",
                    commit_properties=deltalake.CommitProperties(custom_metadata={_RUN: staged.run_id}),
                )
        except (deltalake.exceptions.DeltaError, pa.ArrowException) as error:
            raise StoreError(f"{self.name}: could not be written ({one_line(error)}); run again") from error


def _batches(staged: Staged) -> Iterator[Any]:
    for frame in staged.frames():
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        yield from table.to_batches() or table.schema.empty_table().combine_chunks().to_batches()


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest
