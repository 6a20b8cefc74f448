"""Parquet files as tables outside memory: a column is read when it is asked for, and not kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from unisono.spec.errors import InputError, StoreError


class StoredParquet:
    """A Parquet file; a `features.frames.StoredTable`.

    path: of the file. It must not change while it is read.

    Raises StoreError if there is no such file, InputError if it is no Parquet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise StoreError(f"{path}: there is no such file; allowed: a Parquet file; correct the path")
        self._look = self._look_now()
        try:
            self.schema = pl.read_parquet_schema(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise self._unreadable(error) from error
        self.columns: Sequence[str] = list(self.schema)

    def read(self, columns: Sequence[str]) -> pl.DataFrame:
        """Some of its columns. Raises InputError if the file is unsound, or not what it was when it was opened."""
        try:
            frame = pl.read_parquet(self._path, columns=list(columns))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise self._unreadable(error) from error
        if self._look_now() != self._look:
            raise InputError(f"{self._path}: changed while it was read; allowed: a file at rest; run again")
        return frame

    def _look_now(self) -> tuple[int, int, int]:
        status = self._path.stat()
        return status.st_size, status.st_mtime_ns, status.st_ino

    def _unreadable(self, error: Exception) -> InputError:
        seen = str(error).partition("\n")[0][:200]
        return InputError(f"{self._path}: not readable ({seen}); allowed: a sound Parquet file; restore or convert it")
