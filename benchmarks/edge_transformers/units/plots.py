"""Curves of the units as one picture, for the documents."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.edge_transformers.units.answers import MODES
from benchmarks.edge_transformers.units.curves import Curve

COLOURS = {"ibert": "#1f77b4", "shift": "#2ca02c", "swifttron": "#d62728"}
_SHOWN = 240
"""Points of a curve."""

_LONG = re.compile(r"(\d+\.\d)\d+")
_LIMITS = {"GELU": (-1.0, 9.0), "LayerNorm about 0": (-4.0, 4.0)}


def draw(curves: Sequence[Curve], path: Path) -> None:
    """A row a unit: answers to the left, errors to the right, of every mode; the same curves give the same bytes."""
    panels = [
        ("exponential", 8),
        ("softmax of 2", 8),
        ("GELU", 8),
        ("GELU", 16),
        ("LayerNorm about 0", 8),
        ("square root under 2^16", 32),
        ("requantisation at twice the range", 32),
    ]
    with mpl.rc_context(
        {"svg.hashsalt": "units", "svg.fonttype": "none", "font.sans-serif": ["DejaVu Sans"], "font.size": 8}
    ):
        figure = Figure(figsize=(9, 2.1 * len(panels)), layout="constrained")
        axes = figure.subplots(len(panels), 2)
        for (unit, bits), (left, right) in zip(panels, axes, strict=True):
            _panel(left, right, [one for one in curves if one.unit == unit and one.bits == bits])
        axes[0][0].legend(loc="upper left")
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    path.write_text("\n".join(map(_shortened, drawn.getvalue().splitlines())) + "\n", "utf-8")


def _shortened(line: str) -> str:
    """A line of a picture, its coordinates to a tenth of a point."""
    return (_LONG.sub(r"\1", line) if line[:2] in ("L ", "M ") else line).rstrip()


def _panel(left: Axes, right: Axes, curves: Sequence[Curve]) -> None:
    by_mode = {one.mode: one for one in curves}
    first = curves[0]
    order = sorted(range(len(first.at)), key=first.at.__getitem__)
    order = order[:: max(1, len(order) // _SHOWN)]
    left.plot(
        [first.at[i] for i in order], [first.wanted[i] for i in order], color="black", lw=2.5, alpha=0.3, label="exact"
    )
    for mode in MODES:
        curve = by_mode[mode]
        at = [curve.at[i] for i in order]
        left.plot(at, [curve.found[i] for i in order], color=COLOURS[mode], lw=0.8, label=mode)
        right.plot(at, [curve.found[i] - curve.wanted[i] for i in order], color=COLOURS[mode], lw=0.8)
    left.set_title(f"{first.unit}, inputs of {first.bits} bits")
    right.set_title("error")
    if first.unit.startswith("square root"):
        for axis in (left, right):
            axis.set_xscale("log")
        left.set_title(f"{first.unit}: found / exact")
        left.set_yscale("log")
        right.set_yscale("symlog", linthresh=0.001)
    if first.unit in _LIMITS:
        low, high = _LIMITS[first.unit]
        left.set_ylim(low, high)
        right.set_yscale("symlog", linthresh=0.01)
