"""Units of integer transformers against real numbers, and SwiftTron's hardware against I-BERT's arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.compress.bench import Bench
from benchmarks.compress.row import Target, at_most
from benchmarks.edge_transformers.page import DOCS
from benchmarks.edge_transformers.row import Cell, Row, Table
from benchmarks.edge_transformers.units import curves, departures, own, plots
from benchmarks.edge_transformers.units.answers import MODES
from benchmarks.edge_transformers.units.curves import Curve
from benchmarks.edge_transformers.units.departures import Departure

PLOT = DOCS / "plots" / "integer-units.svg"
PAPER_EXPONENTIAL = 0.0019
"""Largest error of I-BERT's exponential, as its authors say (Kim et al. 2021, section 3.4.2)."""

PAPER_GELU = 0.018
"""Of its GELU (table 1)."""


def run(bench: Bench) -> Row:
    """The row; it draws the plot, too."""
    found, ours, departed = list(curves.every()), list(own.every()), list(departures.every())
    plots.draw(found, PLOT)
    return Row(
        row="units",
        figures={_name(one): round(one.worst, 6) for one in found}
        | {f"network_{_name(one)}": round(one.worst, 6) for one in ours}
        | _shares(departed),
        targets=tuple(_targets(found)),
        tables=(_errors(found), _own(ours), _departures(departed)),
        notes=(
            "Errors are the largest of all inputs, and in brackets the mean: of exp, of shares, of GELU(x) for x from "
            "-8 to 8, of standard deviations, of roots relative to the root, of requantised numbers in steps.",
        ),
    )


def _name(one: Curve) -> str:
    words = one.unit.replace("^", "_").replace(",", "").replace(" ", "_").lower()
    return f"{words}_{one.mode}_{one.bits}_bits_worst_error"


def _shares(departed: Sequence[Departure]) -> dict[str, object]:
    counted: dict[str, object] = {}
    for one in departed:
        unit = one.unit.replace(" ", "_").lower()
        counted[f"rtl_differs_{unit}_{sum(name.startswith(f'rtl_differs_{unit}') for name in counted) + 1}"] = one.share
    return counted


def _targets(found: Sequence[Curve]) -> Iterator[Target]:
    """What the authors of I-BERT say of their polynomials, to their digits."""
    for unit, limit, digits in (("exponential", PAPER_EXPONENTIAL, 4), ("GELU", PAPER_GELU, 3)):
        worst = next(one.worst for one in found if (one.unit, one.mode, one.bits) == (unit, "ibert", 16))
        yield at_most(f"largest error of I-BERT's {unit}, inputs of 16 bits", round(worst, digits), limit)


def _errors(found: Sequence[Curve]) -> Table:
    cases = dict.fromkeys((one.unit, one.bits) for one in found)
    by_case = {(one.unit, one.bits, one.mode): one for one in found}
    rows: list[list[Cell]] = [
        [unit, bits, *(_shown(by_case.get((unit, bits, mode))) for mode in MODES)]
        for unit, bits in sorted(cases, key=lambda case: (case[1] == 32, case[0], case[1]))
    ]
    return Table(head=("unit", "bits of inputs", *MODES), rows=rows)


def _shown(one: Curve | None) -> str:
    return "" if one is None else f"{one.worst:.2g} ({one.mean:.2g})"


def _own(ours: Sequence[Curve]) -> Table:
    rows = [(one.unit, one.mode, f"{one.worst:.2g} ({one.mean:.2g})") for one in ours]
    return Table(head=("in a network here: 8 bits come out", "mode", "error"), rows=rows)


def _departures(departed: Sequence[Departure]) -> Table:
    rows = [(one.unit, one.paper, one.rtl, one.inputs, f"{100 * one.share:.1f} %") for one in departed]
    return Table(head=("unit", "I-BERT's arithmetic", "SwiftTron's VHDL", "tried on", "other answers"), rows=rows)
