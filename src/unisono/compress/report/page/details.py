"""The end of the page: rows that changed, what the steps noted, how it was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from unisono.compress.report.document import ReportJson
from unisono.compress.report.page.marks import table

_LONGEST_NOTE = 600  # characters
_METHODS = (
    "Intervals of shares are Wilson's, of paired changes Tango's, of areas DeLong's. Energy is modelled from "
    "operations and bytes read, after Horowitz, ISSCC 2014; it is not measured. Memory is the peak of a process that "
    "answers row by row, over one that only has the runtime."
)


def changed_rows(report: ReportJson) -> str:
    """The rows whose answers changed most."""
    if not report.changed:
        return "<h2>Rows that changed</h2><p>No answer changed at all.</p>"
    columns = list(report.changed[0].values)
    rows = [
        [
            str(one.row),
            *(escape(one.values[name]) for name in columns),
            escape(one.label),
            escape(one.original),
            escape(one.result),
            f"{one.distance:.3f}",
        ]
        for one in report.changed
    ]
    head = ["row", *columns, "right", "original", "result", "distance"]
    return f"<h2>Rows that changed most</h2>{table(head, rows)}"


def notes(report: ReportJson) -> str:
    """What the steps found out on the way."""
    if not report.notes:
        return ""
    rows = [
        [escape(f"{step}: {name}"), _note(value)]
        for step, found in report.notes.items()
        for name, value in found.items()
    ]
    return f"<h2>What the steps found</h2>{table(['', ''], rows)}"


def _note(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return escape(text if len(text) <= _LONGEST_NOTE else f"{text[:_LONGEST_NOTE]}...")


def measured(report: ReportJson) -> str:
    """The recipe, the machine, and what the figures mean."""
    recipe = json.dumps(_without_nothing(report.recipe), indent=2, ensure_ascii=False)
    machine = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    return (
        f"<h2>Recipe</h2><pre>{escape(recipe)}</pre>"
        f'<h2>How it was measured</h2><p class="note">{escape(machine)}.</p>'
        f'<p class="note">{_METHODS}</p>'
    )


def _without_nothing(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same without settings that are not set."""
    return {
        name: _without_nothing(value) if isinstance(value, Mapping) else value
        for name, value in document.items()
        if value is not None
    }
