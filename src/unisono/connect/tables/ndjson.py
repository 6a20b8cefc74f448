"""JSON lines."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import polars.selectors as cs

from unisono.connect.tables.address import Address
from unisono.connect.tables.files import INSTANT, FileSink
from unisono.connect.tables.text import TextSource


def ndjson_source(address: Address) -> TextSource:
    """A file with a JSON object a line."""
    return TextSource(address, _scan)


def ndjson_sink(address: Address) -> FileSink:
    """A file of JSON lines that is replaced."""
    return FileSink(address.path, _scan, _write)


def _scan(path: Path) -> pl.LazyFrame:
    return pl.scan_ndjson(path, infer_schema_length=None)


def _write(rows: pl.LazyFrame, path: Path) -> None:
    rows.with_columns(cs.datetime("us", "UTC").dt.strftime(INSTANT)).sink_ndjson(path)
