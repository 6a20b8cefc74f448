"""Parquet: a file, a folder of files, a pattern of files."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from unisono.connect.tables.address import Address, matching
from unisono.connect.tables.files import FileSink, look
from unisono.connect.tables.folder import FolderSink
from unisono.connect.tables.stored import StoredRows
from unisono.spec.errors import InputError, StoreError


class ParquetSource:
    """Parquet files, in the order of their names; read where they are."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.name = str(address)

    def snapshot(self) -> str | None:
        """See `Source`."""
        return look(self._paths())

    def open(self, folder: Path) -> StoredRows:
        """See `Source`."""
        paths = self._paths()
        return StoredRows(self.name, paths, look(paths))

    def _paths(self) -> list[Path]:
        files = [path for path in _found(self._address.path) if path.is_file()]
        if not files:
            raise StoreError(f"{self.name}: there is no such file; allowed: Parquet files; correct the path")
        return files


def _found(path: Path) -> list[Path]:
    """The files that a path stands for, in the order of their names; hidden ones are none of the table."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*.parquet") if not file.name.startswith((".", "_")))
    return matching(path)


def parquet_sink(address: Address) -> FileSink | FolderSink:
    """A Parquet file that is replaced, or a folder of them."""
    if address.is_folder:
        return FolderSink(address.path)
    if address.path.suffix.lower() != ".parquet":
        raise InputError(f"{address}: allowed: a file .parquet, or a folder (PATH/); rename it")
    return FileSink(address.path, pl.scan_parquet, _write)


def _write(rows: pl.LazyFrame, path: Path) -> None:
    rows.sink_parquet(path, maintain_order=True)
