"""A row for people, and for the page of the documents that has a place for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.compress.row import Target
from benchmarks.edge_transformers.row import Cell, Row, Table
from benchmarks.harness import ROOT
from benchmarks.report import machine

DOCS = ROOT / "docs"


def text_of(row: Row) -> str:
    """Tables, then what is asked, then the notes."""
    tables = [*row.tables, *([_asked(row.targets)] if row.targets else [])]
    return "\n\n".join([*("\n".join(_lines(one)) for one in tables), *row.notes])


def _lines(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(table.head)} |"
    yield "|---" * len(table.head) + "|"
    for row in table.rows:
        yield f"| {' | '.join(map(_shown, row))} |"


def _shown(cell: Cell) -> str:
    return cell if isinstance(cell, str) else f"{cell:,}" if isinstance(cell, int) else f"{cell:g}"


def _asked(targets: tuple[Target, ...]) -> Table:
    rows = [(one.name, one.value, one.wanted, "met" if one.is_met else "NOT MET") for one in targets]
    return Table(head=("asked", "is", "should be", ""), rows=rows)


def marks(name: str) -> tuple[str, str]:
    """Between which a page has a row's text."""
    return f"<!-- edge_transformers {name} -->", f"<!-- end of edge_transformers {name} -->"


def renew(row: Row, docs: Path = DOCS) -> Path:
    """Put a row into the page that has its marks, with the machine it is from; the rest stays as it is."""
    begin, end = marks(row.row)
    for page in sorted(docs.glob("*.md")):
        before, found, rest = page.read_text("utf-8").partition(begin)
        _, closed, after = rest.partition(end)
        if found and closed:
            page.write_text(f"{before}{begin}\n\n{machine()}\n\n{text_of(row)}\n\n{end}{after}", "utf-8")
            return page
    raise SystemExit(f"{docs}: no place for {row.row}; allowed: a page with {begin} and {end}; add them")
