"""Takes weights away, round after round, with training between."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import nn

from unisono.compress.context import Context
from unisono.compress.modules.model import TorchModel
from unisono.compress.modules.recovery import recovered
from unisono.compress.prune.rising import share_after
from unisono.compress.prune.weights.choosing import chosen
from unisono.compress.prune.weights.matrices import matrices_of
from unisono.compress.prune.weights.movement import Movement
from unisono.compress.prune.weights.scores import magnitudes, weighed
from unisono.compress.prune.weights.step import PruneWeights

Scores = Mapping[str, torch.Tensor]


def pruned(model: TorchModel, step: PruneWeights, context: Context) -> tuple[TorchModel, dict[str, object]]:
    """A copy of a model with zeros, and what was done. Raises ModelError and InputError: see `PruneWeights`."""
    matrices = matrices_of(model.module, step)
    names = tuple(matrices.chosen)
    made = model.with_module(deepcopy(model.module))
    for done in range(1, step.rounds + 1):
        share = share_after(done, step.rounds, step.share)
        if step.method == "movement":
            made, scores = _moved(made, names, step, context, done)
            _take_away(made.module, scores, step, share)
            continue
        scores = weighed(made, names, step.seen_rows, context) if step.method == "wanda" else magnitudes(made, names)
        _take_away(made.module, scores, step, share)
        if step.epochs:
            made = recovered(made, context, step, what=f"training, round {done} of {step.rounds}")
    if step.method == "movement":
        made = recovered(made, context, step, what="training after the last round")
    return made, _notes(made.module, names, matrices.left_alone)


def _moved(
    model: TorchModel, names: tuple[str, ...], step: PruneWeights, context: Context, done: int
) -> tuple[TorchModel, Scores]:
    """The model, trained, and where its weights moved to; of tables, how large they are."""
    tables = tuple(name for name in names if isinstance(model.module.get_submodule(name), nn.Embedding))
    layers = tuple(name for name in names if name not in tables)
    watching = Movement(layers)
    watching.begin(model.module)
    trained = recovered(model, context, step, what=f"training, round {done} of {step.rounds}", also=watching)
    watching.end(model.module)
    return trained, {**watching.end(trained.module), **magnitudes(trained, tables)}


def _take_away(module: nn.Module, scores: Scores, step: PruneWeights, share: float) -> None:
    masks = chosen(module, scores, step, share)
    with torch.no_grad():
        for name, mask in masks.items():
            module.get_submodule(name).get_parameter("weight").masked_fill_(mask, 0.0)


def _notes(module: nn.Module, names: tuple[str, ...], left_alone: Mapping[str, str]) -> dict[str, object]:
    weights = {name: module.get_submodule(name).get_parameter("weight") for name in names}
    zeros = {name: int((one == 0).sum()) for name, one in weights.items()}
    return {
        "share": round(sum(zeros.values()) / sum(one.numel() for one in weights.values()), 4),
        "layers": {name: round(zeros[name] / one.numel(), 4) for name, one in weights.items()},
        "left_alone": dict(left_alone),
    }
