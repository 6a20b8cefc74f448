"""Parts of the report's page: tables, bars and a chart, as HTML and SVG without script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from unisono.compress.report.document import CalibrationBin, Interval

_SIDE, _EDGE, _MARGIN = 320, 44, 18  # of the chart, in its own units


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column names the rows. Cells are HTML; heads are text."""
    first = "".join(f'<th scope="col">{escape(one)}</th>' for one in head)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{first}</tr></thead><tbody>{body}</tbody></table></div>'


def keys() -> str:
    """What the colours mean."""
    return (
        '<p class="note"><span class="key original"></span>original<span class="key result"></span>result, '
        "each with its interval</p>"
    )


class Scale:
    """A range of values across the width of a bar.

    low, high: its ends.
    """

    def __init__(self, low: float, high: float) -> None:
        self._low, self._width = low, (high - low) or 1.0

    def percent(self, value: float) -> float:
        """Where a value is, cut off at the ends."""
        return 100 * min(max((value - self._low) / self._width, 0.0), 1.0)

    def interval(self, found: Interval, side: str) -> str:
        """A dot in its interval."""
        low, high = self.percent(found.low), self.percent(found.high)
        span = f'<i class="span {side}" style="left:{low:.2f}%;width:{high - low:.2f}%"></i>'
        return f'{span}<i class="dot {side}" style="left:{self.percent(found.value):.2f}%"></i>'

    def line(self, value: float, kind: str) -> str:
        """A line across."""
        return f'<i class="{kind}" style="left:{self.percent(value):.2f}%"></i>'

    def length(self, value: float, side: str) -> str:
        """A bar from the left."""
        return f'<i class="length {side}" style="width:{self.percent(value):.2f}%"></i>'


def plot_row(name: str, marks: str, says: str, *, faint: bool = False) -> str:
    """A line of a plot: what it is about, marks along a scale, and the figure. Name and figure are text."""
    kind = " faint" if faint else ""
    words = f'<div class="name">{escape(name)}</div><div class="says">{escape(says)}</div>'
    return f'<div class="row{kind}">{words}<div class="bar">{marks}</div></div>'


def scale_row(words: Sequence[str]) -> str:
    """The ends of a plot's scale, and what is between."""
    texts = "".join(f"<span>{escape(one)}</span>" for one in words)
    return f'<div class="row"><div class="scale">{texts}</div><div class="says"></div></div>'


def calibration_chart(original: Sequence[CalibrationBin], result: Sequence[CalibrationBin]) -> str:
    """How sure both models are, and how often they are right; on the dashed line both are the same."""
    least = min(min(one.confidence, one.right.low) for one in (*original, *result))
    chart = _Chart(max(0.0, int(least * 10) / 10))
    marks = [chart.grid(), *(chart.bins(bins, side) for bins, side in ((original, "original"), (result, "result")))]
    label = "Calibration: how sure the models are, and how often they are right"
    return f'<svg viewBox="0 0 {_SIDE} {_SIDE}" role="img" aria-label="{label}">{"".join(marks)}</svg>'


class _Chart:
    def __init__(self, low: float) -> None:
        self._low = low

    def _at(self, x: float, y: float) -> tuple[float, float]:
        inner = (_SIDE - _EDGE - _MARGIN) / (1 - self._low or 1.0)
        return _EDGE + (x - self._low) * inner, _SIDE - _EDGE - (y - self._low) * inner

    def grid(self) -> str:
        parts = [self._line((self._low, self._low), (1, 1), "ideal")]
        for step in range(5):
            tick = self._low + step * (1 - self._low) / 4
            parts.append(self._line((self._low, tick), (1, tick), "grid"))
            parts.append(self._line((tick, self._low), (tick, 1), "grid"))
            (x, y), (left, bottom) = self._at(tick, tick), self._at(self._low, self._low)
            parts.append(f'<text x="{x:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{100 * tick:.3g}%</text>')
            parts.append(f'<text x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{100 * tick:.3g}%</text>')
        middle = _EDGE + (_SIDE - _EDGE - _MARGIN) / 2
        parts.append(f'<text x="{middle:.0f}" y="{_SIDE - 8}" text-anchor="middle">how sure</text>')
        turned = f'transform="translate(11 {_SIDE / 2:.0f}) rotate(-90)"'
        parts.append(f'<text {turned} text-anchor="middle">how often right</text>')
        return "".join(parts)

    def bins(self, bins: Sequence[CalibrationBin], side: str) -> str:
        points = " ".join("{:.1f},{:.1f}".format(*self._at(one.confidence, one.right.value)) for one in bins)
        parts = [f'<polyline class="path" points="{points}"/>']
        for one in bins:
            parts.append(self._line((one.confidence, one.right.low), (one.confidence, one.right.high), "mark"))
            x, y = self._at(one.confidence, one.right.value)
            says = f"{one.rows} rows: {one.confidence:.3f} sure, {one.right.value:.3f} right"
            parts.append(f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{says}</title></circle>')
        return f'<g class="{side}">{"".join(parts)}</g>'

    def _line(self, start: tuple[float, float], end: tuple[float, float], kind: str) -> str:
        (x, y), (to_x, to_y) = self._at(*start), self._at(*end)
        return f'<line class="{kind}" x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"/>'
