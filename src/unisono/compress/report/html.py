"""The report as one page for people: no script, nothing from elsewhere."""

from __future__ import annotations

from html import escape
from pathlib import Path

from unisono.compress.report.document import ReportJson
from unisono.compress.report.page.details import changed_rows, measured, notes
from unisono.compress.report.page.plots import calibration, latencies, slices
from unisono.compress.report.page.summary import figures, head, verdict

_STYLE = Path(__file__).with_name("page") / "page.css"
_SECTIONS = (head, verdict, figures, slices, latencies, calibration, changed_rows, notes, measured)


def page(report: ReportJson) -> str:
    """The whole page, as HTML."""
    body = "".join(section(report) for section in _SECTIONS)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report.predictor)}, made smaller</title><style>{_STYLE.read_text('utf-8')}</style></head>"
        f"<body>{body}</body></html>\n"
    )
