"""What each rank of each layer costs, and how much all layers together may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from unisono.compress.low_rank.planning import Plan
from unisono.compress.low_rank.step import LowRank
from unisono.compress.low_rank.timing import time_ms
from unisono.spec.progress import Progress

FLOAT_BYTES = 4
_USUAL_KEEP = 0.5

Costs = Mapping[str, Mapping[int | None, float]]
"""By layer and rank, None: as it is; parameters, or milliseconds."""


def parameters_of(plan: Plan, choices: Mapping[str, Sequence[int]]) -> Costs:
    """Numbers that are learnt."""
    return {
        name: {None: plan.ways[name].whole, **{rank: plan.ways[name].parameters(rank) for rank in ranks}}
        for name, ranks in choices.items()
    }


def times_of(plan: Plan, choices: Mapping[str, Sequence[int]], module: nn.Module, progress: Progress) -> Costs:
    """Milliseconds of one row. Layers that are alike are measured once."""
    known: dict[tuple[str, tuple[int, ...], int | None], float] = {}
    found: dict[str, dict[int | None, float]] = {}
    for place, (name, ranks) in enumerate(choices.items()):
        progress("timing layers", place, len(choices))
        layer, shape = module.get_submodule(name), plan.shapes[name]
        found[name] = {}
        for rank in (None, *ranks):
            key = (repr(layer), shape, rank)
            if key not in known:
                made = layer if rank is None else plan.ways[name].build(rank, plan.spectra[name])
                known[key] = time_ms(made, shape)
            found[name][rank] = known[key]
    return found


def budget_of(step: LowRank, costs: Costs, *, others: int) -> float:
    """What all layers together may cost.

    others: parameters of the rest of the module.
    """
    whole = sum(one[None] for one in costs.values())
    if step.size_bytes is not None:
        return step.size_bytes / FLOAT_BYTES - others
    if step.speedup is not None:
        return whole / step.speedup
    return whole * (_USUAL_KEEP if step.keep is None else step.keep)
