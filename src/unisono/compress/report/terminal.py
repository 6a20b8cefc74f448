"""The report in a few lines, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from unisono.compress.report.document import ReportJson, Side, SliceChange
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
    spread_text,
    time_text,
)

_SHOWN_SLICES = 3


def lines(report: ReportJson) -> list[tuple[str, str]]:
    """What to print: (name, text) pairs. "a -> b" is original and result, then how many times smaller it is."""
    before, after = report.original, report.result
    return [
        ("artifact", _pair(before.size_bytes, after.size_bytes, bytes_text)),
        ("parameters", _parameters(before, after)),
        *_operations(before, after),
        ("one row", _latency(report)),
        ("batches", _batches(before, after)),
        ("memory", _pair(before.peak_bytes, after.peak_bytes, bytes_text)),
        *_energy(before, after),
        (accuracy_name(report.task), _accuracy(report)),
        ("change", change_text(report.accuracy_change)),
        ("agreement", spread_text(report.agreement, accuracy_text(report.task))),
        *_metrics(before, after),
        *_slices(report),
        ("judged by", f"{report.rows} rows that no step has seen"),
        *(("over budget", line.removeprefix("budget, ")) for line in report.broken),
    ]


def _pair(before: float, after: float, write: Callable[[float], str]) -> str:
    return f"{write(before)} -> {write(after)} ({smaller_text(before, after)})"


def _parameters(before: Side, after: Side) -> str:
    zeros = f", {percent_text(after.zeros / after.parameters)} of them zero" if after.zeros and after.parameters else ""
    return _pair(before.parameters, after.parameters, count_text) + zeros


def _operations(before: Side, after: Side) -> Iterator[tuple[str, str]]:
    if before.operations is not None and after.operations is not None:
        yield "operations a row", _pair(before.operations, after.operations, count_text)


def _latency(report: ReportJson) -> str:
    before, after = report.original.latency, report.result.latency
    noise = max(before.noise, after.noise)
    times = f"{spread_text(report.speedup, ratio_text)} as fast"
    both = f"{time_text(before.median.value)} -> {time_text(after.median.value)}"
    return f"{both}, {times}, noise {percent_text(noise)}; {before.runtime} -> {after.runtime}"


def _batches(before: Side, after: Side) -> str:
    rows = f"{count_text(before.latency.rows_per_s)} -> {count_text(after.latency.rows_per_s)} rows/s"
    return f"{rows}, {after.latency.batch_rows} at a time, one core"


def _energy(before: Side, after: Side) -> Iterator[tuple[str, str]]:
    if before.energy_mj is not None and after.energy_mj is not None:
        both = _pair(before.energy_mj.value, after.energy_mj.value, energy_text)
        yield "energy a row", f"{both}, modelled: {spread_text(after.energy_mj, energy_text)}"


def _accuracy(report: ReportJson) -> str:
    write = accuracy_text(report.task)
    return f"{write(report.original.accuracy.value)} -> {spread_text(report.result.accuracy, write)}"


def _metrics(before: Side, after: Side) -> Iterator[tuple[str, str]]:
    for name, found in after.metrics.items():
        if name in before.metrics:
            yield name.replace("_", " "), f"{before.metrics[name].value:.4f} -> {spread_text(found, '{:.4f}'.format)}"


def _slices(report: ReportJson) -> Iterator[tuple[str, str]]:
    judged = [one for one in report.slices if one.is_judged]
    small = len(report.slices) - len(judged)
    if not judged:
        yield "slices", f"none of {small} has the {report.slice_rows} rows that it takes to judge one"
        return
    for one in judged[:_SHOWN_SLICES]:
        yield "worst slices", _slice(one)
    sure = sum(one.p_value < 0.05 and one.change.value < 0 for one in report.slices)
    yield "slices in all", f"{len(judged)} judged, {small} too small; {sure} lost more than chance explains"


def _slice(one: SliceChange) -> str:
    return f'{one.column} = "{one.value}": {change_text(one.change)}, {one.rows} rows'
