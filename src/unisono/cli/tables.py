"""Tables that commands read, write and show."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import polars as pl

from unisono.connect.files import read_table, write_parquet
from unisono.drivers import ingest
from unisono.drivers.project import Project
from unisono.spec.errors import InputError, StoreError
from unisono.spec.wording import listing

ROWS_SHOWN = 3
COLUMNS_SHOWN, LAST_COLUMNS_SHOWN = 30, 6


def read_requests(project: Project, predictor: str, path: Path) -> pl.DataFrame:
    """Requests from a file, as the predictor's definition has them. Raises StoreError, InputError."""
    return ingest.read_requests(project.ready(predictor).spec, path)


def read_sample(project: Project, predictor: str, path: Path) -> pl.DataFrame:
    """Rows of a training frame from a file: every column that a model may use. Raises StoreError, InputError."""
    return read_table(path, project.ready(predictor).inputs, what=f"sample for predictor {predictor}")


def check_suffix(path: Path) -> None:
    """Refuse a file that could not be written, before anything is computed for it. Raises InputError, StoreError."""
    if path.suffix.lower() not in _WRITERS:
        raise InputError(f'--out {path}: a file of kind "{path.suffix}"; allowed: {listing(_WRITERS)}; rename it')
    if not path.resolve().parent.is_dir():
        raise StoreError(f"--out {path}: there is no folder {path.resolve().parent}; make it, or write elsewhere")


def write(table: pl.DataFrame, path: Path) -> None:
    """Write a table whole or not at all, in the format that its name says. Raises StoreError if there is no space."""
    _WRITERS[path.suffix.lower()](table, path)


def _write_csv(table: pl.DataFrame, path: Path) -> None:
    nested = [name for name, dtype in table.schema.items() if dtype.is_nested()]
    if nested:
        raise InputError(f'--out {path}, column "{nested[0]}": CSV has no lists; allowed: .parquet; rename the file')
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        table.write_csv(partial, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
        partial.replace(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        said = str(error).partition("\n")[0]
        raise StoreError(f"{path}: could not be written ({said}); make room and run again") from error
    finally:
        partial.unlink(missing_ok=True)


_WRITERS: Mapping[str, Callable[[pl.DataFrame, Path], None]] = {".parquet": write_parquet, ".csv": _write_csv}


def shown(table: pl.DataFrame) -> str:
    """A table's size; then a line a column: its name, its type, how much of it is null, what the last rows have.

    Of many columns the first and the last are shown: outputs and labels stand last.
    """
    size = f"{table.height:,} rows, {table.width:,} columns; the last rows:"
    hidden = max(table.width - COLUMNS_SHOWN, 0)
    first = table.width - hidden - LAST_COLUMNS_SHOWN if hidden else table.width
    columns = table.get_columns()
    lines = [_line(column) for column in [*columns[:first], *columns[first + hidden :]]]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    width = shutil.get_terminal_size().columns
    rows = ["  ".join(map(str.ljust, cells, widths))[: width - 2] for cells in lines]
    more = [f"... {hidden} columns more ..."] if hidden else []
    return "\n  ".join([size, *rows[:first], *more, *rows[first:]])


def _line(column: pl.Series) -> tuple[str, ...]:
    nulls = column.null_count() / len(column) if len(column) else 0.0
    return column.name, _kind(column.dtype), f"{nulls:4.0%} null", *map(_cell, column.tail(ROWS_SHOWN).to_list())


def _kind(dtype: pl.DataType) -> str:
    return str(dtype.base_type())


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return "null" if value is None else str(value)[:_CELL_LENGTH]


_CELL_LENGTH = 24
