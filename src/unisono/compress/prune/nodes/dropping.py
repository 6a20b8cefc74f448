"""Whole layers of a transformer that the answers change least without."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from unisono.compress.context import Context
from unisono.compress.data import sample_of
from unisono.compress.modules.losses import teacher_loss
from unisono.compress.modules.model import TorchModel, answers
from unisono.compress.prune.nodes.encoders import blocks_in, stack_of
from unisono.spec.errors import ModelError


def without_layers(model: TorchModel, count: int, rows: int, context: Context) -> tuple[TorchModel, list[int]]:
    """The model without some of its layers, and their places among all. It is changed itself.

    One goes after the other: each time the one whose absence moves the answers least.

    rows: of the validation part, that are asked.

    Raises ModelError if it has not so many.
    """
    if not blocks_in(model.module):
        raise ModelError(
            f"prune_nodes: layers {count} of {type(model.module).__name__}, which is no transformer like BERT; "
            "allowed: layers of such; say layers = 0"
        )
    depth = len(stack_of(model.module))
    if count >= depth:
        raise ModelError(
            f"prune_nodes: layers {count} of a transformer with {depth}; allowed: up to {depth - 1}; drop fewer"
        )
    frame = sample_of(context.data.validation, rows, context.seed)
    wanted = torch.from_numpy(answers(model, frame))
    places = list(range(depth))
    for done in range(count):
        harms = []
        for place in range(len(places)):
            taken = _taken_out(model.module, place)
            harms.append(float(teacher_loss(torch.from_numpy(answers(model, frame)), wanted, 1.0)))
            stack_of(model.module).insert(place, taken)
            context.progress("asking which layers matter", done * depth + place, count * depth)
        least = min(range(len(harms)), key=lambda place: harms[place])
        _taken_out(model.module, least)
        del places[least]
    _tell_the_depth(model.module, len(places))
    return model, [place for place in range(depth) if place not in places]


def _taken_out(module: nn.Module, place: int) -> nn.Module:
    taken: nn.Module = stack_of(module).pop(place)
    return taken


def _tell_the_depth(module: nn.Module, depth: int) -> None:
    for part in module.modules():
        config: Any = getattr(part, "config", None)
        if getattr(config, "num_hidden_layers", None) is not None:
            config.num_hidden_layers = depth
