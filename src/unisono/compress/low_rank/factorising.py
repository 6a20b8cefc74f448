"""Chooses ranks, and puts two layers in the place of one."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

from unisono.compress.context import Context
from unisono.compress.data import sample_of
from unisono.compress.low_rank.allocation import Option, allocated, equal_shares
from unisono.compress.low_rank.costs import Costs, budget_of, parameters_of, times_of
from unisono.compress.low_rank.planning import Plan, planned
from unisono.compress.low_rank.sensitivity import sensitivities
from unisono.compress.low_rank.step import LowRank
from unisono.compress.modules.model import TorchModel
from unisono.compress.modules.replacing import replace_layer
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing


def factorised(model: TorchModel, step: LowRank, context: Context) -> tuple[TorchModel, dict[str, object]]:
    """A copy of a model with two layers for one, and what was done. Raises ModelError and InputError: see `LowRank`."""
    plan = planned(model, step, context)
    if not plan.ways:
        raise _nothing(plan)
    ranks = _ranks(plan, model, step, context)
    if not ranks:
        raise _nothing(plan)
    made = model.with_module(deepcopy(model.module))
    for name, rank in ranks.items():
        replace_layer(made.module, name, plan.ways[name].build(rank, plan.spectra[name]))
    return made, _notes(plan, ranks, model, made)


def _ranks(plan: Plan, model: TorchModel, step: LowRank, context: Context) -> dict[str, int]:
    """Of the layers that become two."""
    if plan.ranks and not step.budgets:
        return {name: plan.ranks[name] for name in plan.ways}
    choices = plan.choices(step.multiple)
    if step.speedup is None:
        costs = parameters_of(plan, choices)
    else:
        costs = times_of(plan, choices, model.module, context.progress)
    others = model.parameters - sum(way.whole for way in plan.ways.values())
    budget = budget_of(step, costs, others=others)
    options = _options(plan, costs, _weights(plan, costs, budget, model, step, context))
    choose = equal_shares if step.allocation == "equal" else allocated
    chosen = choose(options, budget, "parameters" if step.speedup is None else "ms")
    return {name: option.rank for name, option in chosen.items() if option.rank is not None}


def _options(plan: Plan, costs: Costs, weights: Mapping[str, float]) -> dict[str, list[Option]]:
    """Of each layer; one whose rank was said has no other."""
    return {
        name: [
            Option(rank, cost, 0.0 if rank is None else weights[name] * float(plan.spectra[name].lost[rank]))
            for rank, cost in one.items()
            if name not in plan.ranks or rank is not None
        ]
        for name, one in costs.items()
    }


def _weights(
    plan: Plan, costs: Costs, budget: float, model: TorchModel, step: LowRank, context: Context
) -> dict[str, float]:
    """What the whole of a layer's energy is worth, against that of others."""
    alike = dict.fromkeys(plan.ways, 1.0)
    if step.allocation != "measured":
        return alike
    options = _options(plan, costs, alike)
    share = budget / sum(one[None] for one in costs.values())
    probes = {name: _probe(one, share * costs[name][None]) for name, one in options.items()}
    rows = sample_of(context.data.validation, step.rows, context.seed)
    return sensitivities(model, plan.ways, plan.spectra, probes, rows, context.progress)


def _probe(options: list[Option], cost: float) -> int:
    """The rank that comes nearest to a cost."""
    ranks = {one.rank: abs(one.cost - cost) for one in options if one.rank is not None}
    return min(ranks, key=lambda rank: ranks[rank])


def _nothing(plan: Plan) -> ModelError:
    reasons = listing(f"{name}: {why}" for name, why in plan.left_alone.items())
    return ModelError(
        f"low_rank: no layer gets smaller ({reasons}); allowed: one at least; include other layers, or lower multiple "
        "and keep"
    )


def _notes(plan: Plan, ranks: Mapping[str, int], model: TorchModel, made: TorchModel) -> dict[str, object]:
    """For the report: of each layer its rank, the share of energy that is kept, and its parameters."""
    as_they_are = {name: "as it is: it loses more than it saves" for name in plan.ways if name not in ranks}
    return {
        "layers": {
            name: {
                "rank": rank,
                "energy_kept": round(1 - float(plan.spectra[name].lost[rank]), 6),
                "parameters_before": plan.ways[name].whole,
                "parameters": plan.ways[name].parameters(rank),
            }
            for name, rank in ranks.items()
        },
        "left_alone": {**plan.left_alone, **as_they_are},
        "parameters_before": model.parameters,
        "parameters": made.parameters,
    }
