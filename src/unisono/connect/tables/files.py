"""What tables in files share: copies that can be read in parts, and files that are there whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

import polars as pl

from unisono.connect.segments import room, sync_directory
from unisono.connect.tables.base import Announce, Staged
from unisono.connect.tables.stored import StoredRows
from unisono.spec.errors import InputError, StoreError
from unisono.spec.wording import did_you_mean, listing, one_line

COPY_GROUP_ROWS = 1 << 16

INSTANT = "%Y-%m-%dT%H:%M:%S%.6fZ"
"""How instants are written as text."""


def look(paths: Sequence[Path]) -> str:
    """Equal for files that nobody touched."""
    looks = [(str(path), path.stat()) for path in paths]
    return ";".join(f"{name}:{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}" for name, stat in looks)


def refuse_absent(path: Path) -> None:
    """Raises StoreError if there is no such file."""
    if not path.is_file():
        raise StoreError(f"{path}: there is no such file; allowed: a table that is there; correct the path")


def copy_in(folder: Path) -> Path:
    """Where the copy of a source is."""
    return folder / "source.parquet"


def digest_of(copy: Path) -> str:
    """What a copy holds, in a word."""
    with copy.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def copied(name: str, folder: Path, mark: str, write: Callable[[Path], None]) -> StoredRows:
    """A table copied into a Parquet file; the copy of before if it is of the same state.

    mark:  the state.
    write: writes the copy to a path.
    """
    copy, of = copy_in(folder), folder / "source.mark"
    if not (copy.is_file() and of.is_file() and of.read_text("utf-8") == mark):
        of.unlink(missing_ok=True)
        with whole_file(copy) as partial:
            write(partial)
        of.write_text(mark, "utf-8")
    return StoredRows(name, [copy], mark)


def copy_frame(frame: pl.LazyFrame, name: str, target: Path) -> None:
    """Stream rows into a Parquet file. Raises InputError if what they are read from is unsound."""
    try:
        frame.sink_parquet(target, row_group_size=COPY_GROUP_ROWS, compression="lz4", statistics=False)
    except pl.exceptions.PolarsError as error:
        if "os error" in str(error):  # it is the copy that could not be written
            raise
        raise InputError(f"{name}: not readable ({one_line(error)}); allowed: a sound file; restore it") from error


@contextmanager
def whole_file(path: Path, before: Callable[[Path], None] = lambda partial: None) -> Iterator[Path]:
    """Where to write a file that then takes the place of `path` at once.

    before: called with what was written, just before it does.

    Raises StoreError if there is no room; an older file is then still there.
    """
    partial = path.with_name(f".{path.name}.unisono-partial")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            sync_file(partial)
            before(partial)
            partial.replace(path)
            sync_directory(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what Polars and the system say when they cannot write into a StoreError."""
    try:
        with room(path.parent), _as_the_system_says():
            yield
    except pl.exceptions.PolarsError as error:
        raise StoreError(f"{path}: could not be written ({one_line(error)}); make room and run again") from error


@contextmanager
def _as_the_system_says() -> Iterator[None]:
    """Polars tells the system's errors in words only; here they are the system's again."""
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        told = _SYSTEM_ERROR.search(str(error))
        if told is None or getattr(error, "errno", None) is not None:
            raise
        raise OSError(int(told[1]), os.strerror(int(told[1]))) from error


_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")


def sync_file(path: Path) -> None:
    """Make what was written to a file last."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def stamp_of(path: Path) -> str | None:
    """Inode, size and time of last change; a rename changes none of them. None: there is no such file."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return f"{stat.st_ino}-{stat.st_size}-{stat.st_mtime_ns}"


def refuse_other_columns(name: str, there: Sequence[str], ours: Sequence[str]) -> None:
    """Raises InputError if rows cannot be added, since the columns are not those that are there."""
    odd = sorted(set(there) ^ set(ours))
    if odd:
        raise InputError(
            f"{name}: it has other columns than the new rows ({listing(odd)}); allowed: the same columns "
            f"({listing(ours)}); write to another table, or choose columns with --keep"
        )


def key_column(name: str, rows: pl.LazyFrame, column: str) -> pl.Series:
    """A column of what stands there. Raises InputError if there is none."""
    names = rows.collect_schema().names()
    if column not in names:
        step = did_you_mean(column, names, otherwise="name a column of it, or leave out --only-new")
        raise InputError(f'{name}, column "{column}": there is no such column; allowed: {listing(names)}; {step}')
    return rows.select(column).collect().to_series()


@dataclass(frozen=True, slots=True)
class FileSink:
    """One file that is replaced.

    path:  of the file.
    scan:  reads one of its kind.
    write: streams rows into one of its kind.
    flat:  whether it cannot hold lists.
    """

    path: Path
    scan: Callable[[Path], pl.LazyFrame]
    write: Callable[[pl.LazyFrame, Path], None]
    flat: bool = False

    def __post_init__(self) -> None:
        if not self.path.parent.is_dir():
            raise StoreError(f"{self.path}: there is no folder {self.path.parent}; make it, or write elsewhere")
        if self.path.is_dir():
            raise StoreError(f"{self.path}: a folder; allowed: a file; write elsewhere")

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    def stamp(self) -> str | None:
        """See `Sink`."""
        return stamp_of(self.path)

    def check(self, schema: pl.Schema, *, append: bool) -> None:
        """See `Sink`."""
        nested = [name for name, dtype in schema.items() if dtype.is_nested()] if self.flat else []
        if nested:
            raise InputError(
                f'{self.path}, column "{nested[0]}": {self.path.suffix} has no lists; allowed: .parquet; rename it'
            )
        if append and self.path.exists():
            refuse_other_columns(self.name, self.scan(self.path).collect_schema().names(), schema.names())

    def keys(self, column: str) -> pl.Series | None:
        """See `Sink`."""
        return key_column(self.name, self.scan(self.path), column) if self.path.exists() else None

    def publish(self, staged: Staged, announce: Announce) -> None:
        """See `Sink`."""
        rows = staged.scan()
        if staged.append and self.path.exists():
            names = rows.collect_schema().names()
            rows = pl.concat([self.scan(self.path).select(names), self._alike(rows)], how="vertical_relaxed")
        with whole_file(self.path, lambda partial: announce(stamp_of(partial) or "")) as partial:
            self.write(rows, partial)

    def _alike(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """New rows as text where the file is text, so that both can be written one after the other."""
        there = self.scan(self.path).collect_schema()
        return rows.cast({name: pl.String for name in rows.collect_schema().names() if there[name] == pl.String})
