"""How much a model's answers change when one product alone is in fewer bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from unisono.compress.context import Context
from unisono.compress.data import sample_of
from unisono.compress.quantise.reading import Reading
from unisono.compress.quantise.rewriting import Plan, rewritten
from unisono.compress.quantise.step import Quantise
from unisono.models import ImportedModel
from unisono.models.importers.base import Answers

_ROWS = 64  # validation rows that are asked at most, of each product


def harms(
    reading: Reading, plan: Plan, made_by: Callable[[bytes], ImportedModel], step: Quantise, context: Context
) -> dict[str, float]:
    """Product -> mean absolute change of the answers' numbers on validation rows, the most harmful first."""
    frame = sample_of(context.data.validation, min(step.rows, _ROWS), context.seed)
    alone = replace(plan, tables={}, portable=False)
    before = made_by(rewritten(reading, replace(alone, products={}))).answer(frame)
    found = {}
    for done, (name, way) in enumerate(plan.products.items()):
        context.progress("asking what each product changes", done, len(plan.products))
        after = made_by(rewritten(reading, replace(alone, products={name: way}))).answer(frame)
        found[name] = _change(before, after)
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def _change(before: Answers, after: Answers) -> float:
    floats = [name for name, one in before.items() if one.dtype.kind == "f"]
    return float(np.mean([np.abs(after[name] - before[name]).mean() for name in floats]))
