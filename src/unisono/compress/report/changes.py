"""What changed, where: slices with intervals that hold together, and the rows whose answers changed most."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import polars as pl

from unisono.compress.data import Data
from unisono.compress.report.answers import Answers, Chances, Values
from unisono.compress.report.comparing import Comparison
from unisono.compress.report.document import ChangedRow, SliceChange
from unisono.compress.report.slicing import Slice
from unisono.compress.report.statistics.proportions import CONFIDENCE, corrected

_SEEN_LOSS = 0.05  # 5 points
_POWER_FACTOR = 7.85  # (1.96 + 0.84) squared: a test at 5 % that sees such a loss four times out of five
_FEWEST = 100  # rows of a slice that a budget is decided by: with fewer, a single row is more than a point

_SHOWN_ROWS = 20
_SHOWN_TEXT = 160


def rows_to_judge(comparison: Comparison) -> int:
    """The rows that a slice needs so that a loss of 5 points would be seen four times out of five.

    From how much single rows change over all: where nearly every row stays right or wrong, fewer are enough. Never
    under 100, of which one row is a point.
    """
    return max(_FEWEST, math.ceil(_POWER_FACTOR * comparison.spread() / _SEEN_LOSS**2))


def slice_changes(comparison: Comparison, slices: Sequence[Slice], needed: int) -> list[SliceChange]:
    """What changed in every slice, the worst first.

    The intervals hold all together with 95 %: each is made with Bonferroni's confidence. A bootstrap of the largest
    change would be narrower where slices overlap, but says nothing of slices in which no row changed. Chances are
    corrected by Holm.
    """
    if not slices:
        return []
    confidence = 1 - (1 - CONFIDENCE) / len(slices)
    chances = corrected([comparison.chance(one.rows) for one in slices])
    found = [_change(comparison, *pair, confidence, needed) for pair in zip(slices, chances, strict=True)]
    return sorted(found, key=lambda one: (one.change.value, one.change.low))


def _change(comparison: Comparison, part: Slice, chance: float, confidence: float, needed: int) -> SliceChange:
    original, result = comparison.levels(part.rows)
    rows = int(part.rows.sum())
    return SliceChange(
        column=part.column,
        value=_short(part.value),
        rows=rows,
        original=original,
        result=result,
        change=comparison.slice_change(part.rows, confidence),
        p_value=chance,
        is_judged=rows >= needed,
    )


def changed_rows(
    data: Data, reads: Sequence[str], answers: Sequence[Answers], comparison: Comparison
) -> list[ChangedRow]:
    """The rows whose answers changed most, the most first; those that did not change at all are left out.

    reads:   the columns to show.
    answers: of the original and of the result.
    """
    original, result = answers
    distances = comparison.distances()
    order = np.argsort(-distances, kind="stable")[:_SHOWN_ROWS]
    return [
        ChangedRow(
            row=int(place),
            values={name: _shown(data.test.get_column(name), int(place)) for name in reads},
            label=_short(str(data.test.get_column(data.label)[int(place)])),
            original=_said(original, int(place), data),
            result=_said(result, int(place), data),
            distance=float(distances[place]),
        )
        for place in order
        if distances[place] > 0
    ]


def _said(answers: Answers, row: int, data: Data) -> str:
    if isinstance(answers, Chances):
        return f"{_short(str(data.classes[answers.said[row]]))} ({answers.confidence[row]:.3f})"
    if isinstance(answers, Values):
        return f"{answers.values[row]:.6g}"
    head = ", ".join(f"{one:.3g}" for one in answers.values[row][:4])
    return head if answers.values.shape[1] <= 4 else f"{head}, ... ({answers.values.shape[1]} numbers)"


def _shown(column: pl.Series, row: int) -> str:
    if isinstance(column.dtype, pl.Array):
        return f"tensor of {' x '.join(map(str, column.dtype.shape))}"
    value = column[row]
    return f"{value:.6g}" if isinstance(value, float) else _short(str(value))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_TEXT else f"{line[: _SHOWN_TEXT - 3]}..."
