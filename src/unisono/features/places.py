"""Where a fault in a frame lies, and the error that says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import polars as pl

from unisono.spec.errors import InputError
from unisono.spec.wording import did_you_mean, listing


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a frame.

    frame:  what the frame is: "events of source arrivals".
    column: the column, once known.
    row:    the row, from 0, once known.
    first:  which row of the whole the frame's first one is.
    """

    frame: str
    column: str | None = None
    row: int | None = None
    first: int = 0

    def of(self, column: str) -> Place:
        """This frame's column."""
        return replace(self, column=column)

    def at(self, row: int) -> Place:
        """This column's row, which is counted from the frame's first."""
        return replace(self, row=self.first + row)

    def __str__(self) -> str:
        column = "" if self.column is None else f', column "{self.column}"'
        row = "" if self.row is None else f", row {self.row}"
        return f"{self.frame}{column}{row}"

    def error(self, seen: str, allowed: str, step: str) -> InputError:
        """What was seen here, what was allowed, and what to do."""
        return InputError(f"{self}: {seen}; allowed: {allowed}; {step}")

    def wrong_dtype(self, column: pl.Series, allowed: str) -> InputError:
        """A column of another type than its schema says."""
        return self.error(f"dtype {column.dtype}", allowed, "cast the column, or change the schema")

    def missing(self, column: str, columns: Iterable[str]) -> InputError:
        """A column that is not there."""
        names = list(columns)
        step = did_you_mean(column, names, otherwise="add the column")
        return self.of(column).error("there is no such column", f"a frame with it (it has {listing(names)})", step)
