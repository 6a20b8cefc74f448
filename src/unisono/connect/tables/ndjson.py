"""JSON lines."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import polars.selectors as cs

from unisono.connect.tables.address import Address
from unisono.connect.tables.files import INSTANT, FileSink, copied, copy_frame, look, refuse_absent
from unisono.connect.tables.stored import StoredRows


class NdjsonSource:
    """A file with a JSON object a line. It is copied, since a row of text cannot be found without all before it."""

    def __init__(self, address: Address) -> None:
        self._path = address.path
        self.name = str(address)

    def snapshot(self) -> str | None:
        """See `Source`."""
        refuse_absent(self._path)
        return look([self._path])

    def open(self, folder: Path) -> StoredRows:
        """See `Source`."""
        refuse_absent(self._path)
        return copied(self.name, folder, look([self._path]), self._copy)

    def _copy(self, target: Path) -> None:
        copy_frame(_scan(self._path), self.name, target)


def ndjson_sink(address: Address) -> FileSink:
    """A file of JSON lines that is replaced."""
    return FileSink(address.path, _scan, _write)


def _scan(path: Path) -> pl.LazyFrame:
    return pl.scan_ndjson(path, infer_schema_length=None)


def _write(rows: pl.LazyFrame, path: Path) -> None:
    rows.with_columns(cs.datetime("us", "UTC").dt.strftime(INSTANT)).sink_ndjson(path)
