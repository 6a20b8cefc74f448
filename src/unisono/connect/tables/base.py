"""What a table outside is to a driver: a source that is read in parts, a sink that is written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from unisono.connect.tables.stored import StoredRows

Announce = Callable[[str], None]
"""Called with the stamp that a sink will have, just before it has it."""


class Source(Protocol):
    """A table to read.

    name: as messages call it.
    """

    name: str

    def snapshot(self) -> str | None:
        """What it holds now, in a word: another one once it was changed. None: only a copy of it can be told.

        Raises StoreError if it is not there.
        """
        ...

    def open(self, folder: Path) -> StoredRows:
        """Its rows, in an order that stays.

        folder: where a copy can be kept, if it cannot be read in parts where it is.

        Raises StoreError, InputError.
        """
        ...


@dataclass(frozen=True, slots=True)
class Staged:
    """A finished result on its way into a sink.

    run_id: of the run that made it.
    parts:  its rows in Arrow's file format, in order; at least one, all with the same columns.
    append: whether it is added to what the sink holds; else it replaces that.
    """

    run_id: str
    parts: tuple[Path, ...]
    append: bool

    @property
    def rows(self) -> int:
        """How many there are."""
        counted: int = self.scan().select(pl.len()).collect().item()
        return counted

    def scan(self) -> pl.LazyFrame:
        """All rows, to be streamed."""
        return pl.scan_ipc(list(self.parts))

    def frames(self) -> Iterator[pl.DataFrame]:
        """The rows, a part at a time."""
        for part in self.parts:
            yield pl.read_ipc(part)


class Sink(Protocol):
    """A table to write.

    name: as messages call it.
    """

    name: str

    def stamp(self) -> str | None:
        """What stands there, in a word: the same for as long as nobody else writes; None: nothing.

        A sink that can keep the run's id beside its rows says that. Raises StoreError.
        """
        ...

    def check(self, schema: pl.Schema, *, append: bool) -> None:
        """Raises InputError if such rows cannot be written there."""
        ...

    def keys(self, column: str) -> pl.Series | None:
        """A column of what stands there; None: nothing. Raises InputError if it has no such column."""
        ...

    def publish(self, staged: Staged, announce: Announce) -> None:
        """Write a result: readers see all of it or what was there. Raises StoreError; nothing was changed then."""
        ...
