"""A plan as the words the kernel reads; see layout.py for what they are."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from unisono.kernel import emit, layout
from unisono.kernel.plan import Column, Plan

Words = npt.NDArray[np.int64]

_SUM = layout.NEEDS_COUNT | layout.NEEDS_SUM
_SQUARES = _SUM | layout.NEEDS_SQUARES
_EXTREMES = layout.NEEDS_COUNT | layout.NEEDS_EXTREMES

AGGREGATIONS = {
    # name: (code, what its column has to keep)
    "count": (emit.COUNT, layout.NEEDS_COUNT),
    "sum": (emit.SUM, _SUM),
    "mean": (emit.MEAN, _SUM),
    "var": (emit.VAR, _SQUARES),
    "std": (emit.STD, _SQUARES),
    "min": (emit.MIN, _EXTREMES),
    "max": (emit.MAX, _EXTREMES),
    "range": (emit.RANGE, _EXTREMES),
    "first": (emit.FIRST, layout.NEEDS_ENDS),
    "last": (emit.LAST, layout.NEEDS_ENDS),
}


@lru_cache(maxsize=256)
def plan_words(plan: Plan) -> Words:
    """The plan as int64 words, windows by ascending width and all of history last."""
    ranks = _window_ranks(plan)
    widths = sorted(width for width in plan.windows if width is not None)
    has_all = None in plan.windows
    widest = widths[-1] if widths else 0
    remember = plan.remember_us if has_all and plan.has_ids else 0
    needs = [_needs(plan, column) for column in range(len(plan.columns))]
    header = np.zeros(layout.PLAN_TABLES, np.int64)
    header[layout.PLAN_ID] = plan.id
    header[layout.PLAN_COLUMNS] = len(plan.columns)
    header[layout.PLAN_WINDOWS] = len(plan.windows)
    header[layout.PLAN_WIDEST] = widest
    header[layout.PLAN_HAS_ALL] = has_all
    header[layout.PLAN_HAS_IDS] = plan.has_ids
    header[layout.PLAN_HORIZON] = max(widest, remember)
    header[layout.PLAN_STRIDE] = 1 + plan.has_ids + len(plan.columns)
    header[layout.PLAN_OUTPUTS] = len(plan.outputs)
    header[layout.PLAN_EXTREMES] = sum(need & layout.NEEDS_EXTREMES != 0 for need in needs)
    columns_at = layout.PLAN_TABLES + len(plan.windows)
    ranges_at = layout.STATE_TAILS + 2 * len(plan.windows)
    header[layout.PLAN_COLUMNS_AT] = columns_at
    header[layout.PLAN_OUTPUTS_AT] = columns_at + layout.COLUMN_WORDS * len(plan.columns)
    header[layout.PLAN_RANGES_AT] = ranges_at
    header[layout.PLAN_VALUES_AT] = 1 + plan.has_ids
    windows = widths + [layout.ALL] * has_all
    outputs = []
    for output in plan.outputs:
        column = max(output.column, 0)
        outputs += [_code(output.aggregation, output.column), column, ranks[output.window]]
        outputs += [columns_at + layout.COLUMN_WORDS * column, ranges_at + layout.RANGE_WORDS * column]
    tables = np.array(windows + _column_table(plan.columns, needs) + outputs, np.int64)
    words = np.concatenate([header, tables])
    words.flags.writeable = False
    return words


def _window_ranks(plan: Plan) -> list[int]:
    ordered = sorted(range(len(plan.windows)), key=lambda index: _width_key(plan.windows[index]))
    return [ordered.index(index) for index in range(len(plan.windows))]


def _width_key(width: int | None) -> tuple[bool, int]:
    return width is None, width or 0


def _needs(plan: Plan, column: int) -> int:
    needs = 0
    for output in plan.outputs:
        if output.column == column:
            needs |= AGGREGATIONS[output.aggregation][1]
    return needs


def _code(aggregation: str, column: int) -> int:
    return emit.COUNT_EVENTS if aggregation == "count" and column < 0 else AGGREGATIONS[aggregation][0]


def _column_table(columns: tuple[Column, ...], needs: list[int]) -> list[int]:
    table: list[int] = []
    extremes = 0
    for column, need in zip(columns, needs, strict=True):
        kind = layout.FLOAT if column.kind == "float" else layout.FIXED
        table += [kind, column.places, need, extremes, 10**column.places]
        extremes += need & layout.NEEDS_EXTREMES != 0
    return table
