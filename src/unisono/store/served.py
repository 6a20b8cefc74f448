"""The server's prediction log on disk: a folder a day, in it whole Parquet files, named by the time of their first row.

DIRECTORY/2026-11-26/101530.250000-4711-1.parquet      time (UTC), process and number of the writer
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

from unisono.spec.errors import StoreError
from unisono.store.predictions import SERVED_AT, SERVED_ID, SERVED_SHADOW

_DETAILS = (SERVED_AT, SERVED_ID, SERVED_SHADOW)


def path_of(directory: Path, first: datetime, serial: str) -> Path:
    """Where rows are written.

    first:  instant of the first of them, UTC.
    serial: tells files apart that begin at the same instant.
    """
    return directory / f"{first:%Y-%m-%d}" / f"{first:%H%M%S.%f}-{serial}.parquet"


def read_served(directory: Path, *, details: bool = False) -> pl.DataFrame | None:
    """All rows, by the time of their files; None if there are none yet.

    details: whether to have the columns about serving and the answers of shadows, too.

    Raises StoreError if files of different definitions cannot be one frame.
    """
    frames = [_read(path) for path in _files(directory)]
    there = [frame for frame in frames if frame is not None]
    if not there:
        return None
    try:
        rows = pl.concat(there, how="diagonal_relaxed")
    except pl.exceptions.PolarsError as error:
        raise StoreError(
            f"{directory}: its files are of different definitions ({str(error).splitlines()[0]}); allowed: columns of "
            "the same types; move the files of the earlier definition elsewhere, a day is a folder"
        ) from error
    return rows if details else rows.filter(~pl.col(SERVED_SHADOW)).drop(_DETAILS)


def prune(directory: Path, *, today: date, keep_days: int | None, keep_bytes: int | None) -> int:
    """Delete the oldest files of one predictor; returns how many bytes that were.

    keep_days:  days that stay beside today; None: all.
    keep_bytes: what may stay; None: all.
    """
    freed = 0 if keep_days is None else sum(_delete(day) for day in _days(directory, before=today, keep=keep_days))
    if keep_bytes is None:
        return freed
    sizes = [(path, path.stat().st_size) for path in _files(directory)]
    above = sum(size for _, size in sizes) - keep_bytes
    for path, size in sizes:
        if above <= 0:
            break
        path.unlink(missing_ok=True)
        above, freed = above - size, freed + size
    return freed


def sweep(directory: Path, *, before: datetime) -> None:
    """Delete what writers that were killed had begun of one predictor's files before an instant."""
    for path in directory.glob("????-??-??/.*.partial"):
        if path.stat().st_mtime < before.timestamp():
            path.unlink(missing_ok=True)


def _files(directory: Path) -> list[Path]:
    """The whole ones, oldest first."""
    return sorted(directory.glob("????-??-??/[!.]*.parquet"))


def _read(path: Path) -> pl.DataFrame | None:
    """The rows of a file; None if it has just been deleted for its age."""
    try:
        return pl.read_parquet(path, hive_partitioning=False)
    except FileNotFoundError:
        return None


def _days(directory: Path, *, before: date, keep: int) -> Iterator[Path]:
    first = f"{before - timedelta(days=keep):%Y-%m-%d}"
    return (folder for folder in sorted(directory.glob("????-??-??")) if folder.name < first)


def _delete(folder: Path) -> int:
    size = sum(path.stat().st_size for path in folder.iterdir())
    shutil.rmtree(folder)
    return size
