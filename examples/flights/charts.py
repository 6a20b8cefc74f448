"""Charts as SVG text: no script, no network, colours from the page's style sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 12, 40


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values; its ticks, and how they are written."""

    low: float
    high: float
    ticks: Sequence[float]
    title: str = ""
    write: Callable[[float], str] = str

    def share(self, value: float) -> float:
        """Where a value lies: 0 at the low end, 1 at the high."""
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Chart:
    """A frame with two axes, in which marks are drawn; sizes in pixels."""

    x: Axis
    y: Axis
    width: int = 460
    height: int = 340
    left: int = _LEFT

    def at(self, x: float, y: float) -> Point:
        """The pixel of a point."""
        inner = self.width - self.left - _RIGHT, self.height - _TOP - _BOTTOM
        return self.left + self.x.share(x) * inner[0], self.height - _BOTTOM - self.y.share(y) * inner[1]

    def line(self, points: Sequence[Point], style: str) -> str:
        """A line through points."""
        path = " ".join("{:.1f},{:.1f}".format(*self.at(*point)) for point in points)
        return f'<polyline class="line {style}" points="{path}"/>'

    def area(self, points: Sequence[Point], style: str) -> str:
        """The area between a line and the lower end of the y axis."""
        ends = [(points[0][0], self.y.low), *points, (points[-1][0], self.y.low)]
        path = " ".join("{:.1f},{:.1f}".format(*self.at(*point)) for point in ends)
        return f'<polygon class="{style}" points="{path}"/>'

    def dot(self, x: float, y: float, style: str, *, radius: float = 3.5, title: str = "") -> str:
        """A dot; the title shows when it is pointed at."""
        left, top = self.at(x, y)
        inside = f"<title>{escape(title)}</title>"
        return f'<circle class="dot {style}" cx="{left:.1f}" cy="{top:.1f}" r="{radius}">{inside}</circle>'

    def text(self, x: float, y: float, words: str, style: str = "", *, dx: float = 0, dy: float = 0) -> str:
        """Words at a point, moved by pixels."""
        left, top = self.at(x, y)
        return f'<text class="{style}" x="{left + dx:.1f}" y="{top + dy:.1f}">{escape(words)}</text>'

    def box(self, low: Point, high: Point, style: str, *, title: str = "") -> str:
        """A rectangle between two corners."""
        (left, bottom), (right, top) = self.at(*low), self.at(*high)
        size = f'x="{left:.1f}" y="{top:.1f}" width="{max(right - left, 0):.1f}" height="{max(bottom - top, 0):.1f}"'
        return f'<rect class="{style}" {size}><title>{escape(title)}</title></rect>'

    def draw(self, marks: Sequence[str], label: str) -> str:
        """The finished chart. label: what it shows, for who cannot see it."""
        parts = [self._grid(), *marks, self._titles()]
        size = f'viewBox="0 0 {self.width} {self.height}"'
        return f'<svg {size} role="img" aria-label="{escape(label, quote=True)}">{"".join(parts)}</svg>'

    def _grid(self) -> str:
        lines = []
        for tick in self.x.ticks:
            lines.append(self.line([(tick, self.y.low), (tick, self.y.high)], "grid"))
            lines.append(self.text(tick, self.y.low, self.x.write(tick), "tick middle", dy=16))
        for tick in self.y.ticks:
            lines.append(self.line([(self.x.low, tick), (self.x.high, tick)], "grid"))
            lines.append(self.text(self.x.low, tick, self.y.write(tick), "tick end", dx=-8, dy=4))
        return "".join(lines)

    def _titles(self) -> str:
        middle = self.left + (self.width - self.left - _RIGHT) / 2
        across = f'<text class="axis middle" x="{middle:.0f}" y="{self.height - 6}">{escape(self.x.title)}</text>'
        height = _TOP + (self.height - _TOP - _BOTTOM) / 2
        turned = f'transform="translate(14 {height:.0f}) rotate(-90)"'
        return across + f'<text class="axis middle" {turned}>{escape(self.y.title)}</text>'


def percent(value: float) -> str:
    """A share as a whole percentage.

    >>> percent(0.2)
    '20 %'
    """
    return f"{value * 100:.0f} %"
