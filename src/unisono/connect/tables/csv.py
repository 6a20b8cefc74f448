"""CSV files: text, which the schema of the predictor gives a meaning."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import polars.selectors as cs

from unisono.connect.tables.address import Address
from unisono.connect.tables.files import INSTANT, FileSink
from unisono.connect.tables.text import TextSource


def csv_source(address: Address) -> TextSource:
    """A CSV file with a line of names."""
    return TextSource(address, _scan)


def csv_sink(address: Address) -> FileSink:
    """A CSV file that is replaced; instants as 2026-03-02T08:00:00.000000Z."""
    return FileSink(address.path, _scan, _write, flat=True)


def _scan(path: Path) -> pl.LazyFrame:
    return pl.scan_csv(path, infer_schema=False)


def _write(rows: pl.LazyFrame, path: Path) -> None:
    rows.with_columns(cs.datetime("us", "UTC").dt.strftime(INSTANT)).sink_csv(path)
