"""What is known of a recipe's result, and what a search wants of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from unisono.compress.recipe import Budget, Recipe

Fidelity = Literal["quick", "full"]
"""quick: without the steps that only recover what others took; the size and the speed are those of the whole recipe."""


class Figures(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of one result, on rows that are there to choose by, never on those that the report judges by.

    accuracy:   as the report's, 0 to 1.
    original:   the same of the original.
    size_bytes: of the graph.
    latency_ms: median of one row at a time, in the recipe's runtime.
    speedup:    times as fast as the original, measured in turns with it.
    parameters: numbers that were learnt.
    worst_slice: points that the worst slice lost, 0 or more; None: not looked at.
    agreement:  with the original, 0 to 1.
    statistics: of the layers, by name: what a predictor may learn from beside the settings.
    """

    accuracy: float
    original: float
    size_bytes: int
    latency_ms: float
    speedup: float
    parameters: int
    worst_slice: float | None = None
    agreement: float | None = None
    statistics: dict[str, float] = {}


Evaluate = Callable[[Recipe, Fidelity], Figures]
"""Carries out a recipe and measures the result. Raises UnisonoError for a recipe that gives none."""

Objective = Literal["accuracy", "size_bytes", "latency_ms"]
OBJECTIVES: tuple[Objective, ...] = ("accuracy", "size_bytes", "latency_ms")


def to_lower(figures: Figures, objective: Objective) -> float:
    """An objective as a number to be made small."""
    return 1 - figures.accuracy if objective == "accuracy" else float(getattr(figures, objective))


def over_budget(figures: Figures, budget: Budget) -> dict[str, float]:
    """By how much each limit is exceeded, as a share of it (of points and shares as they are); 0 or less: it holds."""
    lost = 100 * (figures.original - figures.accuracy)
    ceilings = {
        "size_bytes": figures.size_bytes,
        "latency_ms": figures.latency_ms,
        "parameters": figures.parameters,
        "accuracy_loss": lost,
        "worst_slice": figures.worst_slice,
    }
    floors = {"speedup": figures.speedup, "agreement": figures.agreement}
    found: dict[str, float] = {}
    for name, value in ceilings.items():
        limit = getattr(budget, name)
        if limit is not None and value is not None:
            found[name] = (value - limit) / max(abs(limit), 1.0)
    for name, value in floors.items():
        limit = getattr(budget, name)
        if limit is not None and value is not None:
            found[name] = limit - value
    return found
