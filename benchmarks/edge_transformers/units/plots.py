"""Curves of the units as one picture, for the documents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from benchmarks.edge_transformers.drawing import picture
from benchmarks.edge_transformers.units.answers import MODES
from benchmarks.edge_transformers.units.curves import Curve

COLOURS = {"ibert": "#1f77b4", "shift": "#2ca02c", "swifttron": "#d62728"}
_SHOWN = 240
"""Points of a curve."""

_PANELS = (
    ("exponential", 8),
    ("softmax of 2", 8),
    ("GELU", 8),
    ("GELU", 16),
    ("LayerNorm about 0", 8),
    ("square root under 2^16", 32),
    ("requantisation at twice the range", 32),
)
_LIMITS = {"GELU": (-1.0, 9.0), "LayerNorm about 0": (-4.0, 4.0)}


def draw(curves: Sequence[Curve], path: Path) -> None:
    """A row a unit: answers to the left, errors to the right, of every mode."""
    with picture(path, 9, 2.1 * len(_PANELS)) as figure:
        axes = figure.subplots(len(_PANELS), 2)
        for (unit, bits), (left, right) in zip(_PANELS, axes, strict=True):
            _panel(left, right, [one for one in curves if one.unit == unit and one.bits == bits])
        axes[0][0].legend(loc="upper left")


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
