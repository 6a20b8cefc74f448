"""Sources of text: a row cannot be found without all before it, so the file is copied first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from unisono.connect.tables.address import Address
from unisono.connect.tables.files import copied, copy_frame, look, refuse_absent
from unisono.connect.tables.stored import StoredRows


class TextSource:
    """A file of text.

    scan: reads it, lazily.
    """

    def __init__(self, address: Address, scan: Callable[[Path], pl.LazyFrame]) -> None:
        self._path = address.path
        self._scan = scan
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
        copy_frame(self._scan(self._path), self.name, target)
