"""What the page begins with: the verdict, and the table of figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape

from unisono.compress.report.document import Interval, Latency, ReportJson, Side
from unisono.compress.report.page.marks import table
from unisono.compress.report.wording import (
    accuracy_name,
    accuracy_text,
    bytes_text,
    change_text,
    count_text,
    energy_text,
    percent_text,
    ratio_text,
    smaller_text,
    time_text,
)


def head(report: ReportJson) -> str:
    """What it is about."""
    steps = " → ".join(str(step["step"]) for step in report.recipe["steps"]) or "no steps"
    name = escape(str(report.recipe["name"]))
    return (
        f"<h1>{escape(report.predictor)}, made smaller</h1>"
        f'<p class="soft">{name}: {escape(steps)}. Judged by {report.rows:,} rows that no step has seen.</p>'
    )


def verdict(report: ReportJson) -> str:
    """Whether the budget holds."""
    asked = [name for name, limit in report.recipe["budget"].items() if limit is not None]
    if report.broken:
        lines = "".join(f"<li>{escape(line.removeprefix('budget, '))}</li>" for line in report.broken)
        said = "<strong>Over its budget: refused as a version.</strong>"
        return f'<div class="verdict broken">{said}<ul>{lines}</ul></div>'
    if asked:
        return f'<div class="verdict"><strong>Within its budget</strong>: {escape(", ".join(asked))}.</div>'
    return '<div class="verdict">Nothing was asked by a budget.</div>'


def figures(report: ReportJson) -> str:
    """Both models side by side."""
    rows = [[escape(name), *cells] for name, *cells in _figures(report)]
    return f"<h2>What it saved and what it cost</h2>{table(['', 'original', 'result', ''], rows)}"


def _figures(report: ReportJson) -> Iterator[tuple[str, str, str, str]]:
    before, after = report.original, report.result
    yield _sizes("artifact", before.size_bytes, after.size_bytes, bytes_text)
    yield _sizes("graph, compressed", before.compressed_bytes, after.compressed_bytes, bytes_text)
    yield _sizes("parameters", before.parameters, after.parameters, count_text)
    if before.zeros or after.zeros:
        yield "of them zero", _zeros(before), _zeros(after), ""
    if before.operations is not None and after.operations is not None:
        yield _sizes("operations a row", before.operations, after.operations, count_text)
    quicker = f"{_spread(report.speedup, ratio_text)} as fast"
    yield "one row", _latency(before.latency), _latency(after.latency), quicker
    yield "99th percentile", time_text(before.latency.p99), time_text(after.latency.p99), ""
    yield _rates(before.latency, after.latency)
    yield _sizes("peak memory", before.peak_bytes, after.peak_bytes, bytes_text)
    if before.energy_mj is not None and after.energy_mj is not None:
        less = smaller_text(before.energy_mj.value, after.energy_mj.value)
        energies = [_spread(one, energy_text) for one in (before.energy_mj, after.energy_mj)]
        yield "energy a row, modelled", energies[0], energies[1], less
    yield _accuracy(report)
    for name in (name for name in after.metrics if name in before.metrics):
        yield name.replace("_", " "), _metric(before, name), _metric(after, name), ""
    yield "agreement", "", _spread(report.agreement, accuracy_text(report.task)), ""
    yield "numeric class", escape(before.numeric_class), escape(after.numeric_class), ""


def _sizes(name: str, before: float, after: float, write: Callable[[float], str]) -> tuple[str, str, str, str]:
    return name, write(before), write(after), smaller_text(before, after)


def _zeros(side: Side) -> str:
    return percent_text(side.zeros / side.parameters) if side.parameters else "0 %"


def _latency(found: Latency) -> str:
    return f"{_spread(found.median, time_text)}<br><small>{escape(found.runtime)}</small>"


def _rates(before: Latency, after: Latency) -> tuple[str, str, str, str]:
    name = f"rows a second, {after.batch_rows} at a time"
    more = f"{ratio_text(after.rows_per_s / before.rows_per_s)} as many"
    return name, count_text(before.rows_per_s), count_text(after.rows_per_s), more


def _accuracy(report: ReportJson) -> tuple[str, str, str, str]:
    before, after = (_spread(one.accuracy, accuracy_text(report.task)) for one in (report.original, report.result))
    return accuracy_name(report.task), before, after, escape(change_text(report.accuracy_change))


def _metric(side: Side, name: str) -> str:
    return _spread(side.metrics[name], "{:.4f}".format)


def _spread(found: Interval, write: Callable[[float], str]) -> str:
    return f"{write(found.value)} <small>{write(found.low)} to {write(found.high)}</small>"
