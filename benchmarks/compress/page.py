"""A row for people, and for docs/compression-results.md."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.compress.row import Figures, Row
from benchmarks.harness import ROOT
from benchmarks.report import machine

PAGE = ROOT / "docs" / "compression-results.md"
_HEAD = """\
| model | accuracy (95 %) | worst slice, points | artifact, MB | parameters | one row, ms |
|---|---|---|---|---|---|"""


def table(row: Row) -> str:
    """Models, then what is asked."""
    models: Mapping[str, Figures] = {"original": row.original, "result": row.result, **row.peers}
    lines = [_HEAD, *(_model(name, one) for name, one in models.items())]
    if row.targets:
        lines += ["", "| asked | is | should be | |", "|---|---|---|---|"]
        lines += [
            f"| {one.name} | {one.value:g} | {one.wanted} | {'met' if one.is_met else 'NOT MET'} |"
            for one in row.targets
        ]
    return "\n".join([*lines, *(f"\n{note}" for note in row.notes)])


def _model(name: str, one: Figures) -> str:
    worst = "" if one.worst_slice_change is None else f"{one.worst_slice_change:+.1f}"
    accuracy = f"{one.accuracy:.4f} ({one.accuracy_low:.4f} to {one.accuracy_high:.4f})"
    size = f"{one.size_bytes / 1e6:.2f}"
    return f"| {name} | {accuracy} | {worst} | {size} | {one.parameters:,} | {one.latency_ms:.3f} |"


def renew(row: Row) -> None:
    """Put a row into the page, with the machine it is from; the others stay as they are."""
    text = PAGE.read_text("utf-8")
    begin, end = f"<!-- {row.row} -->", f"<!-- end of {row.row} -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    if not rest or not after:
        raise SystemExit(f"{PAGE}: no place for {row.row}; allowed: {begin} and {end} in it; add them")
    PAGE.write_text(f"{before}{begin}\n\n{machine()}\n\n{table(row)}\n\n{end}{after}", "utf-8")
