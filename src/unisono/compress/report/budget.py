"""What of a budget does not hold."""

from __future__ import annotations

from collections.abc import Callable

from unisono.compress.recipe import Budget
from unisono.compress.report.document import Interval, ReportJson
from unisono.compress.report.wording import bytes_text, count_text, points_text, ratio_text, time_text

_MORE_ROWS = "give more test rows, or be milder"


def broken(report: ReportJson, budget: Budget) -> list[str]:
    """What of a budget does not hold: a sentence each, with what was seen, what is allowed, and the next step.

    The estimate decides, not an end of its interval: if the whole interval had to be inside the limit, few test rows
    would be enough to refuse anything, and if it had to be outside, to let anything pass. Where the interval reaches
    over the limit the sentence says so. Of slices, only those that have `slice_rows` rows decide: the worst of many
    small ones is always bad, by chance alone.
    """
    return [line for name, check in _CHECKS.items() if (line := _line(report, budget, name, check)) is not None]


Check = Callable[[ReportJson, float], str | None]
"""(report, limit) -> what was seen and what to do, or None if it holds."""


def _line(report: ReportJson, budget: Budget, name: str, check: Check) -> str | None:
    limit = getattr(budget, name)
    found = None if limit is None else check(report, limit)
    return None if found is None else f"budget, {name}: {found}"


def _at_most(seen: float, limit: float, text: Callable[[float], str], step: str) -> str | None:
    return None if seen <= limit else f"{text(seen)}; allowed: at most {text(limit)}; {step}"


def _size(report: ReportJson, limit: float) -> str | None:
    return _at_most(report.result.size_bytes, limit, bytes_text, "quantise, or cut more away")


def _latency(report: ReportJson, limit: float) -> str | None:
    median = report.result.latency.median
    step = f"cut more away, or choose another runtime{_unsure(median, limit)}"
    return _at_most(median.value, limit, time_text, step)


def _speedup(report: ReportJson, limit: float) -> str | None:
    if report.speedup.value >= limit:
        return None
    step = f"cut more away, or choose another runtime{_unsure(report.speedup, limit)}"
    return f"{ratio_text(report.speedup.value)}; allowed: at least {ratio_text(limit)}; {step}"


def _memory(report: ReportJson, limit: float) -> str | None:
    return _at_most(report.result.peak_bytes, limit, bytes_text, "quantise, or cut more away")


def _parameters(report: ReportJson, limit: float) -> str | None:
    return _at_most(report.result.parameters, limit, count_text, "cut more away: ranks, nodes, layers or trees")


def _accuracy_loss(report: ReportJson, limit: float) -> str | None:
    loss = _negated(report.accuracy_change)
    return _at_most(loss.value, limit, points_text, f"recover for longer, or cut less away{_unsure(loss, limit)}")


def _worst_slice(report: ReportJson, limit: float) -> str | None:
    worst = report.worst_slice
    if worst is None:
        return (
            f"no slice has the {report.slice_rows} rows that it takes to judge one; allowed: at least one; give more "
            "test rows, or leave the limit out"
        )
    loss = _negated(worst.change)
    others = sum(-one.change.value > limit for one in report.slices if one.is_judged) - 1
    more = f" (and in {others} more)" if others > 0 else ""
    step = f"recover with more weight on it, or cut less away{_unsure(loss, limit)}"
    where = f'{points_text(loss.value)} lost in {worst.column} = "{worst.value}", {worst.rows} rows{more}'
    return None if loss.value <= limit else f"{where}; allowed: at most {points_text(limit)} in any slice; {step}"


def _agreement(report: ReportJson, limit: float) -> str | None:
    seen = report.agreement
    if seen.value >= limit:
        return None
    return f"{seen.value:.4f}; allowed: at least {limit:g}; distil from the original for longer{_unsure(seen, limit)}"


def _negated(change: Interval) -> Interval:
    return Interval(-change.value, -change.high, -change.low)


def _unsure(seen: Interval, limit: float) -> str:
    """What to say where the interval reaches over the limit."""
    if not seen.low <= limit <= seen.high:
        return ""
    return f"; its interval, {seen.low:.4g} to {seen.high:.4g}, holds the limit: {_MORE_ROWS}"


_CHECKS: dict[str, Check] = {
    "size_bytes": _size,
    "latency_ms": _latency,
    "speedup": _speedup,
    "memory_bytes": _memory,
    "parameters": _parameters,
    "accuracy_loss": _accuracy_loss,
    "worst_slice": _worst_slice,
    "agreement": _agreement,
}
