"""The report's charts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np

from examples.flights.charts import Axis, Chart, Point, percent
from examples.flights.findings import Claim, Day, Model
from examples.flights.metrics import calibration, roc

_STYLES = ("ours", "plain")
_QUARTERS = (0, 0.25, 0.5, 0.75, 1)


def roc_plot(late: np.ndarray, models: Sequence[Model]) -> str:
    """ROC of our model and of the one without window features."""
    chart = Chart(
        Axis(0, 1, _QUARTERS, "punctual flights called late", percent),
        Axis(0, 1, _QUARTERS, "late flights called late", percent),
    )
    marks = [chart.line([(0, 0), (1, 1)], "chance")]
    for model, style, (x, y) in reversed(list(zip(models, _STYLES, ((0.42, 0.38), (0.42, 0.29)), strict=False))):
        false, true = roc(late, model.probability)
        marks.append(chart.line(list(zip(false.tolist(), true.tolist(), strict=True)), style))
        marks.append(chart.text(x, y - 0.14, f"{model.name}: {model.score.auc:.3f}", f"{style} strong"))
    return chart.draw(marks, "ROC curves")


def calibration_plot(late: np.ndarray, models: Sequence[Model]) -> str:
    """Predicted against observed share, a dot for each twentieth of the flights, with 95 % intervals."""
    ticks = (0, 0.2, 0.4, 0.6, 0.8)
    chart = Chart(
        Axis(0, 0.9, ticks, "predicted probability", percent), Axis(0, 0.9, ticks, "share that was late", percent)
    )
    marks = [chart.line([(0, 0), (0.9, 0.9)], "chance")]
    for model, style in reversed(list(zip(models, _STYLES, strict=False))):
        for part in calibration(late, model.probability):
            says = f"{part.count:,} flights: predicted {part.predicted:.3f}, late {part.observed:.3f}"
            marks.append(chart.line([(part.predicted, part.low), (part.predicted, part.high)], style))
            marks.append(chart.dot(part.predicted, part.observed, style, title=says))
    marks.append(chart.text(0.03, 0.83, models[0].name, "ours strong"))
    marks.append(chart.text(0.03, 0.77, models[1].name, "plain strong"))
    return chart.draw(marks, "Calibration")


def year_plot(days: Sequence[Day], split: date) -> str:
    """Predicted and true share of late flights, day by day; the held-out part is shaded."""
    first, last = days[0].day, days[-1].day
    months = [date(first.year, month, 1) for month in range(1, 13)]
    chart = Chart(
        Axis(first.toordinal(), last.toordinal(), [m.toordinal() for m in months], "", _month),
        Axis(0, 0.9, (0, 0.2, 0.4, 0.6, 0.8), "share of flights that was late", percent),
        width=980,
        height=300,
    )
    marks = [chart.box((split.toordinal(), 0), (last.toordinal(), 0.9), "shade", title="held out")]
    marks.append(chart.text(split.toordinal(), 0.9, "held out", "tick", dx=8, dy=16))
    marks.append(chart.area([(day.day.toordinal(), day.late) for day in days], "area"))
    marks.append(chart.line([(day.day.toordinal(), day.predicted) for day in days], "ours"))
    marks.append(chart.text(first.toordinal(), 0.83, "true", "soft strong", dx=10))
    marks.append(chart.text(first.toordinal(), 0.83, "predicted two hours before", "ours strong", dx=46))
    return chart.draw(marks, "Predicted and true share of late flights, each day of the year")


def _month(ordinal: float) -> str:
    return date.fromordinal(int(ordinal)).strftime("%b")


def days_plot(days: Sequence[Day], split: date) -> str:
    """Held-out days as dots: predicted against true share."""
    ticks = (0, 0.2, 0.4, 0.6, 0.8)
    chart = Chart(
        Axis(0, 0.9, ticks, "predicted share of the day", percent), Axis(0, 0.9, ticks, "true share", percent)
    )
    dots = [
        chart.dot(day.predicted, day.late, "ours", title=f"{day.day}: {day.flights} flights, {percent(day.late)} late")
        for day in days
        if day.day >= split
    ]
    return chart.draw([chart.line([(0, 0), (0.9, 0.9)], "chance"), *dots], "Held-out days")


def importance_plot(importance: Sequence[tuple[str, float]], most: int = 14) -> str:
    """The largest shares of the training gain."""
    shown = list(importance[:most])
    top = max(share for _, share in shown)
    chart = Chart(
        Axis(0, top * 1.12, (), "share of the gain in training", percent),
        Axis(-len(shown), 0, ()),
        height=340,
        left=226,
    )
    marks = []
    for row, (name, share) in enumerate(shown):
        marks.append(chart.box((0, -row - 0.8), (share, -row - 0.2), "bar", title=f"{name}: {share:.3f}"))
        marks.append(chart.text(0, -row - 0.5, name, "end", dx=-8, dy=4))
        marks.append(chart.text(share, -row - 0.5, f"{share * 100:.1f} %", "tick", dx=6, dy=4))
    return chart.draw(marks, "Most important inputs")


def claims_plot(claims: Sequence[Claim]) -> str:
    """What each training frame claims, and what its model gets."""
    low = min(min(claim.obtained for claim in claims) - 0.1, 0.6)
    ticks = [round(tick, 2) for tick in np.arange(0.5, 1.01, 0.1) if tick >= low]
    chart = Chart(
        Axis(low, 1.08, ticks, "AUC on the last two months", lambda tick: f"{tick:.2f}"),
        Axis(-len(claims), 0, ()),
        width=980,
        height=62 + 46 * len(claims),
        left=150,
    )
    marks = [mark for row, claim in enumerate(claims) for mark in _claim(chart, -row - 0.5, claim)]
    return chart.draw(marks, "AUC claimed in training and obtained in use")


def _claim(chart: Chart, y: float, claim: Claim) -> list[str]:
    ends: list[Point] = [(claim.obtained, y), (claim.claimed, y)]
    same = abs(claim.claimed - claim.obtained) < 0.0005
    marks = [chart.text(chart.x.low, y, claim.name, "end strong", dx=-12, dy=4), chart.line(ends, "gap")]
    if same:
        words = f"claimed and obtained {claim.obtained:.3f}"
        dot = chart.dot(claim.obtained, y, "good", radius=6)
        return [*marks, dot, chart.text(claim.obtained, y, words, "good strong", dx=12, dy=4)]
    marks.append(chart.dot(claim.claimed, y, "bad", radius=6))
    marks.append(chart.dot(claim.obtained, y, "ours", radius=6))
    right = claim.claimed >= claim.obtained
    sides = ("tick", 12) if right else ("tick end", -12)
    marks.append(chart.text(claim.claimed, y, f"claimed {claim.claimed:.3f}", f"bad {sides[0]}", dx=sides[1], dy=4))
    other = ("tick end", -12) if right else ("tick", 12)
    marks.append(chart.text(claim.obtained, y, f"obtained {claim.obtained:.3f}", f"ours {other[0]}", dx=other[1], dy=4))
    return marks
