"""Pictures of the documents: drawn by matplotlib, the same bytes for the same figures."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

_LONG = re.compile(r"(\d+\.\d)\d+")


@contextmanager
def picture(path: Path, width: float, height: float) -> Iterator[Figure]:
    """A figure of so many inches, which is written as SVG at the end."""
    with mpl.rc_context(
        {"svg.hashsalt": "unisono", "svg.fonttype": "none", "font.sans-serif": ["DejaVu Sans"], "font.size": 8}
    ):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{_shortened(line)}\n" for line in drawn.getvalue().splitlines()), "utf-8")


def _shortened(line: str) -> str:
    """A line of a picture, its coordinates to a tenth of a point."""
    return (_LONG.sub(r"\1", line) if line[:2] in ("L ", "M ") else line).rstrip()
