"""What a search leaves behind: its data, a picture, and the recipes of its front."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import msgspec

from unisono.compress.search.document import SearchJson, TrialJson

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _EDGE = 640, 420, 70, 50, 20
_COLOURS = {"front": "#0b6e4f", "measured": "#8a8a8a", "over": "#c8553d"}


def write(search: SearchJson, folder: Path) -> list[Path]:
    """Writes `search.json`, `front.svg` and, for each recipe of the front, `front-N.toml`; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("front-*.toml"):
        old.unlink()
    texts = {"search.json": msgspec.json.encode(search, order="sorted").decode(), "front.svg": plot(search)}
    for place, trial in enumerate(search.best(), start=1):
        texts[f"front-{place}.toml"] = toml(trial.recipe or {})
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    return [folder / name for name in texts]


def toml(recipe: Mapping[str, Any]) -> str:
    """A recipe as the TOML that `read_recipe` reads; what is None is left out.

    >>> print(toml({"name": "small", "steps": [{"step": "quantise"}], "budget": {"speedup": 2.0, "agreement": None}}))
    name = "small"
    steps = [
        {step = "quantise"},
    ]
    budget = {speedup = 2.0}
    <BLANKLINE>
    """
    lines = []
    for name, value in recipe.items():
        if name == "steps":
            lines += ["steps = [", *(f"    {_value(step)}," for step in value), "]"]
        elif value is not None:
            lines.append(f"{name} = {_value(value)}")
    return "\n".join([*lines, ""])


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        known = [f"{name} = {_value(one)}" for name, one in value.items() if one is not None]
        return "{" + ", ".join(known) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def plot(search: SearchJson) -> str:
    """Size against accuracy as SVG: the front, what it beats, and what is over the budget."""
    shown = [(one, _style(one, search)) for one in search.trials if one.figures is not None]
    points = [(one.figures.size_bytes / 1e6, 100 * one.figures.accuracy) for one, _ in shown if one.figures is not None]
    if not points:
        return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"/>'
    across, up = (_Axis(min(column), max(column)) for column in zip(*points, strict=True))
    marks = [
        _dot(one, style, (across.share(x), up.share(y))) for (one, style), (x, y) in zip(shown, points, strict=True)
    ]
    ticks = [_tick_across(across, at) for at in (0.0, 0.5, 1.0)] + [_tick_up(up, at) for at in (0.0, 0.5, 1.0)]
    titles = [
        _text((_LEFT + _WIDTH - _EDGE) / 2, _HEIGHT - 8, "megabytes", "middle"),
        _text(8, 14, "accuracy, % of the validation rows", "start"),
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
    label = escape(f"{len(points)} recipes by size and accuracy", quote=True)
    return f'{head}font-size="12" role="img" aria-label="{label}">{"".join([*ticks, *titles, *marks])}</svg>'


class _Axis:
    """From the lowest value to the highest, with a little room."""

    def __init__(self, low: float, high: float) -> None:
        room = 0.05 * (high - low) or 0.5
        self.low, self.high = low - room, high + room

    def share(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def at(self, share: float) -> str:
        return f"{self.low + share * (self.high - self.low):.3g}"


def _style(trial: TrialJson, search: SearchJson) -> str:
    if trial.number in search.front:
        return "front"
    return "measured" if trial.holds else "over"


def _place(across: float, up: float) -> tuple[float, float]:
    return _LEFT + across * (_WIDTH - _LEFT - _EDGE), _HEIGHT - _BOTTOM - up * (_HEIGHT - _BOTTOM - 2 * _EDGE)


def _dot(trial: TrialJson, style: str, shares: Sequence[float]) -> str:
    x, y = _place(shares[0], shares[1])
    words = ", ".join(f"{name} = {value:.4g}" for name, value in trial.chosen.items())
    title = f"<title>{escape(f'trial {trial.number}: {words}')}</title>"
    radius = 5 if style == "front" else 3
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{_COLOURS[style]}">{title}</circle>'


def _tick_across(axis: _Axis, share: float) -> str:
    x, y = _place(share, 0)
    return _text(x, y + 16, axis.at(share), "middle")


def _tick_up(axis: _Axis, share: float) -> str:
    x, y = _place(0, share)
    return _text(x - 8, y + 4, axis.at(share), "end")


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(words)}</text>'
