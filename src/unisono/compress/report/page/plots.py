"""Plots of the page: slices, latencies, calibration."""

from __future__ import annotations

from collections.abc import Sequence

from unisono.compress.report.document import Latency, ReportJson, SliceChange
from unisono.compress.report.page.marks import Scale, calibration_chart, keys, plot_row, scale_row
from unisono.compress.report.wording import percent_text, time_text

_SHOWN_SLICES = 40
_SURE = 0.05


def slices(report: ReportJson) -> str:
    """What changed in every slice."""
    if not report.slices:
        return "<h2>Slices</h2><p>None were asked for, and there are no classes.</p>"
    shown = report.slices[:_SHOWN_SLICES]
    reach = _reach(shown)
    scale = Scale(-reach, reach)
    limit = report.recipe["budget"]["worst_slice"]
    lines = scale.line(0, "zero") + ("" if limit is None else scale.line(-limit, "limit"))
    rows = [_slice(one, lines + scale.interval(one.change, "result")) for one in shown]
    ends = scale_row([f"{-reach:.3g} points", "0", f"+{reach:.3g}"])
    return f"<h2>What changed in every slice</h2><p>{_of_slices(report, len(shown))}</p>{''.join(rows)}{ends}"


def _reach(shown: Sequence[SliceChange]) -> float:
    """How far the scale goes to both sides: to all that can be judged; what is wider is cut off."""
    judged = [one for one in shown if one.is_judged] or shown
    return max(max(abs(one.change.low), abs(one.change.high)) for one in judged)


def _slice(one: SliceChange, marks: str) -> str:
    says = f"{one.change.value:+.2f}{'*' if one.p_value < _SURE else ''}, {one.rows:,} rows"
    return plot_row(f"{one.column} = {one.value}", marks, says, faint=not one.is_judged)


def _of_slices(report: ReportJson, shown: int) -> str:
    more = len(report.slices) - shown
    limit = report.recipe["budget"]["worst_slice"]
    return (
        "Result less original, in points of 100, the worst first. The intervals hold all together with 95 %. *: more "
        "than chance explains, corrected for the number of slices. Faint: fewer than "
        f"{report.slice_rows:,} rows, too few to judge by."
        + ("" if limit is None else " Dashed: the budget.")
        + (f" {more} more are in the report's data." if more else "")
    )


def latencies(report: ReportJson) -> str:
    """How long a row takes, in every runtime."""
    pairs = [("original", report.original), ("result", report.result)]
    every = [(side, one, model.latency.runtime) for side, model in pairs for one in model.runtimes]
    scale = Scale(0, max(one.median.high for _, one, _ in every))
    rows = [_latency(side, one, scale, chosen) for side, one, chosen in every]
    noise = max(one.noise for _, one, _ in every)
    return (
        "<h2>How long a row takes</h2><p>From the request's values to the answer, tokens included, one row at a time, "
        "one thread, medians with intervals over rounds; all were measured in turns. The same model measured twice "
        f"differs by up to {percent_text(noise)}: less than that says nothing.</p>"
        f"{''.join(rows)}{keys()}"
    )


def _latency(side: str, found: Latency, scale: Scale, chosen: str) -> str:
    marks = scale.length(found.median.value, side) + scale.interval(found.median, side)
    name = f"{side}, {found.runtime}{' (chosen)' if found.runtime == chosen else ''}"
    return plot_row(name, marks, time_text(found.median.value))


def calibration(report: ReportJson) -> str:
    """Whether classifiers are right as often as they say."""
    before, after = report.original.calibration, report.result.calibration
    if not (before and after):
        return ""
    return (
        "<h2>Calibration</h2><p>How sure each model is of the class that it says, and how often that is right; as many "
        f"rows a dot. On the dashed line both are the same.</p>{calibration_chart(before, after)}{keys()}"
    )
