"""What a row gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmarks.compress.row import Target

Cell = str | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """For people.

    head: of the columns.
    rows: as long as the head.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row.

    row:     its name on the command line.
    figures: all that was measured and is asked for, by name with the unit at the end; what JSON can hold.
    targets: what is asked of it; `at_least` and `at_most` of benchmarks.compress.row make them.
    tables:  the same for people.
    notes:   what a reader has to know: sizes of the data, choices, what is not comparable.
    """

    row: str
    figures: Mapping[str, object]
    targets: tuple[Target, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """As JSON has it: the figures by their names, then the targets, then whether all of them are met."""
        return {
            "row": self.row,
            **self.figures,
            "targets": [asdict(one) for one in self.targets],
            "met": all(one.is_met for one in self.targets),
        }
