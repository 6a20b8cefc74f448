"""Tables in files: Parquet, CSV and JSON lines in, Parquet out.

A column of a text format is read as its schema says: nothing is guessed, and no digit is lost on the way. A Tensor is a
nested list; in CSV, which has none, the JSON text of one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from unisono.connect.segments import room, sync_directory
from unisono.features import numbers
from unisono.features.places import Place
from unisono.spec.errors import StoreError
from unisono.spec.types import DType, Tensor
from unisono.spec.wording import listing

_ISO = "%Y-%m-%dT%H:%M:%S%.f"


def read_table(path: Path, columns: Mapping[str, DType], *, also: Iterable[str] = (), what: str) -> pl.DataFrame:
    """The named columns of a file, in the file's order of rows.

    path:    .parquet, .csv, or JSON lines (.json, .jsonl, .ndjson).
    columns: the columns that are wanted, with their dtypes.
    also:    further columns to take if they are there; text in a text format.
    what:    how messages call it: "events of source arrivals".

    Raises StoreError if there is no such file, InputError if it cannot be read, or a column is missing or ill-written.
    """
    if not path.is_file():
        raise StoreError(f"{what}: there is no file {path}; make it, or correct its path in unisono.toml")
    read = _READERS.get(path.suffix.lower())
    place = Place(f"{what} ({path.name})")
    if read is None:
        raise place.error(f'a file of kind "{path.suffix}"', listing(_READERS), "convert it")
    try:
        frame = read(path, [*columns, *also])
    except (pl.exceptions.PolarsError, OSError) as error:
        seen = f"not readable ({_first_line(error)})"
        raise place.error(seen, f"a sound {path.suffix} file", "restore it") from error
    for name in columns:
        if name not in frame.columns:
            raise place.missing(name, frame.columns)
    wanted = [name for name in (*columns, *also) if name in frame.columns]
    return as_declared(frame.select(wanted), columns, place)


def as_declared(frame: pl.DataFrame, columns: Mapping[str, DType], place: Place) -> pl.DataFrame:
    """Columns of text as what their dtypes say they mean; anything else as it is. Raises InputError."""
    return frame.select(
        _typed(column, columns.get(column.name), place.of(column.name)) for column in frame.get_columns()
    )


def _read_parquet(path: Path, columns: Iterable[str]) -> pl.DataFrame:
    present = pl.read_parquet_schema(path)
    wanted = [name for name in dict.fromkeys(columns) if name in present]
    # Without a wanted column there are still the names of those that are there, for the message.
    return pl.read_parquet(path, columns=wanted) if wanted else pl.read_parquet(path, n_rows=0)


def _read_csv(path: Path, columns: Iterable[str]) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)


def _read_json(path: Path, columns: Iterable[str]) -> pl.DataFrame:
    return pl.read_ndjson(path, infer_schema_length=None)


_READERS: Mapping[str, Callable[[Path, Iterable[str]], pl.DataFrame]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".json": _read_json,
    ".jsonl": _read_json,
    ".ndjson": _read_json,
}


def _typed(column: pl.Series, dtype: DType | None, place: Place) -> pl.Series:
    """Text as what the schema says it means; anything else as it is."""
    if dtype is None or column.dtype != pl.String or dtype.name == "String":
        return column
    if dtype.name == "Timestamp":
        return _instants(column, place)
    if isinstance(dtype, Tensor):
        return _lists(column, dtype, place)
    typed = _PARSERS[dtype.name](column)
    _refuse_lost(column, typed, place, str(dtype))
    return typed


def _booleans(column: pl.Series) -> pl.Series:
    known = {"true": True, "false": False}
    return column.str.to_lowercase().replace_strict(known, default=None, return_dtype=pl.Boolean)


_PARSERS: Mapping[str, Callable[[pl.Series], pl.Series]] = {
    "Int64": lambda column: column.str.strip_chars().cast(pl.Int64, strict=False),
    "Float64": lambda column: column.str.strip_chars().cast(pl.Float64, strict=False),
    "Bool": _booleans,
    "Decimal": lambda column: column.str.strip_chars().str.to_decimal(scale=18),
}


def _lists(column: pl.Series, dtype: Tensor, place: Place) -> pl.Series:
    """JSON texts as lists as deep as the shape has sides."""
    number = float if dtype.element.startswith("Float") else int
    kind: Any = number
    wanted: pl.DataType = pl.Float64() if number is float else pl.Int64()
    for _ in dtype.shape:
        kind, wanted = list[kind], pl.List(wanted)
    decoder = msgspec.json.Decoder(kind)
    values: list[object] = []
    for row, text in enumerate(column):
        try:
            values.append(None if text is None else decoder.decode(text))
        except (msgspec.DecodeError, RecursionError) as error:
            allowed = f"{dtype} as JSON, e.g. [[0, 1], [2, 3]]"
            raise place.at(row).error(numbers.shown(text), allowed, f"correct the value ({error})") from error
    return pl.Series(column.name, values, wanted)


def _instants(column: pl.Series, place: Place) -> pl.Series:
    """ISO 8601 instants with a zone; without one they stay local, and need the source's `timezone`."""
    text = column.str.strip_chars().str.replace(" ", "T", literal=True)
    zoned = text.str.to_datetime(_ISO + "%#z", time_unit="us", strict=False)
    if zoned.null_count() == column.null_count():
        return zoned
    local = text.str.to_datetime(_ISO, time_unit="us", strict=False)
    if local.null_count() == column.null_count():
        return local
    _refuse_lost(column, zoned, place, 'Timestamp, all with a zone or all without, e.g. "2013-01-31T18:05:00Z"')
    return zoned


def _refuse_lost(column: pl.Series, typed: pl.Series, place: Place, allowed: str) -> None:
    lost = (typed.is_null() & column.is_not_null()).to_numpy()
    if lost.any():
        row = int(lost.argmax())
        raise place.at(row).error(numbers.shown(column[row]), allowed, "correct the value")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write a table whole or not at all. Raises StoreError if there is no space; an older file is then still there."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with room(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                frame.write_parquet(file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            sync_directory(path.parent)
    except pl.exceptions.PolarsError as error:
        raise StoreError(f"{path}: could not be written ({_first_line(error)}); make room and run again") from error
    finally:
        partial.unlink(missing_ok=True)
