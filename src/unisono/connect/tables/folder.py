"""A folder of Parquet files, swapped for the next one at once."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from unisono.connect.segments import sync_directory
from unisono.connect.tables.base import Announce, Staged
from unisono.connect.tables.files import key_column, refuse_other_columns, sync_file, writing
from unisono.spec.errors import StoreError

PARTS_A_FILE = 16
_AT_FDCWD, _EXCHANGE = -100, 2  # of renameat2


@dataclass(frozen=True, slots=True)
class FolderSink:
    """A folder of Parquet files that is replaced. Only files of unisono may be in it.

    path: of the folder.
    """

    path: Path

    def __post_init__(self) -> None:
        if not self.path.parent.is_dir():
            raise StoreError(f"{self.path}: there is no folder {self.path.parent}; make it, or write elsewhere")
        strange = [file.name for file in self._entries() if file.suffix != ".parquet"]
        if strange:
            raise StoreError(
                f'{self.path}: the folder holds "{strange[0]}", which would be lost; allowed: a folder with Parquet '
                "files only, or none yet; write elsewhere"
            )

    @property
    def name(self) -> str:
        """The path."""
        return f"{self.path}/"

    def _entries(self) -> list[Path]:
        return sorted(self.path.iterdir()) if self.path.is_dir() else []

    def _scan(self) -> pl.LazyFrame | None:
        files = self._entries()
        return pl.scan_parquet(files) if files else None

    def stamp(self) -> str | None:
        """See `Sink`."""
        return _stamp(self.path) if self.path.is_dir() else None

    def check(self, schema: pl.Schema, *, append: bool) -> None:
        """See `Sink`."""
        there = self._scan() if append else None
        if there is not None:
            refuse_other_columns(self.name, there.collect_schema().names(), schema.names())

    def keys(self, column: str) -> pl.Series | None:
        """See `Sink`."""
        there = self._scan()
        return None if there is None else key_column(self.name, there, column)

    def publish(self, staged: Staged, announce: Announce) -> None:
        """See `Sink`."""
        partial = self.path.with_name(f".{self.path.name}.unisono-partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            with writing(self.path):
                partial.mkdir()
                for file in self._fill(staged, partial):
                    sync_file(file)
                sync_directory(partial)
                announce(_stamp(partial))
                swap(partial, self.path)
                sync_directory(self.path.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _fill(self, staged: Staged, partial: Path) -> Iterator[Path]:
        kept = self._entries() if staged.append else []
        for number, file in enumerate(kept):
            os.link(file, partial / f"part-{number:06}.parquet")
        for number, start in enumerate(range(0, len(staged.parts), PARTS_A_FILE), len(kept)):
            target = partial / f"part-{number:06}.parquet"
            pl.scan_ipc(list(staged.parts[start : start + PARTS_A_FILE])).sink_parquet(target, maintain_order=True)
            yield target


def _stamp(folder: Path) -> str:
    """Inode and time of the last change of its entries; a rename changes neither."""
    stat = folder.stat()
    return f"{stat.st_ino}-{stat.st_mtime_ns}"


def swap(new: Path, old: Path) -> None:
    """Give a folder the other's place. Where the system can, at once; else there is no folder for a moment."""
    if not old.exists():
        new.rename(old)
    elif not _exchange(new, old):
        aside = old.with_name(f".{old.name}.unisono-old")
        shutil.rmtree(aside, ignore_errors=True)
        old.rename(aside)
        new.rename(old)
        shutil.rmtree(aside, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    return rename is not None and not rename(_AT_FDCWD, bytes(one), _AT_FDCWD, bytes(other), _EXCHANGE)
