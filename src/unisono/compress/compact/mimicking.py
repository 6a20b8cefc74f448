"""Blocks learn to answer as the layers did whose place they take, all at once and each from its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import nn

from unisono.compress.compact.step import Compact
from unisono.compress.context import Context
from unisono.compress.modules.batches import Batch
from unisono.compress.modules.model import TorchModel
from unisono.compress.modules.recovery import sampled
from unisono.compress.modules.training import Hooks, Lesson, Training, train

_SMALLEST = 1e-6  # variance of what a layer gives that still counts


@dataclass(frozen=True, slots=True)
class Mimic:
    """A block that learns from layers.

    first, last: names of the layers whose input and whose output it learns from; often the same.
    block:       what learns.
    """

    first: str
    last: str
    block: nn.Module


def mimicked(model: TorchModel, mimics: Sequence[Mimic], step: Compact, context: Context) -> list[nn.Module]:
    """The blocks, after they have seen what the layers give for the training rows (Romero et al.: FitNets, 2015)."""
    if step.block_epochs == 0:
        return [one.block for one in mimics]
    frame = context.data.train[sampled(context.data.train.height, step.rows, context.seed)]
    settings = Training.of(step, epochs=step.block_epochs)
    pupils = model.with_module(_Pupils(model.module, mimics))
    hooks = Hooks(extra_loss=_distance)
    learnt: Any = train(
        pupils, Lesson(frame=frame, targets=None), context, settings, hooks=hooks, what="learning block by block"
    )
    return list(learnt.module.blocks)


def _distance(pupils: nn.Module, batch: Batch, scores: torch.Tensor) -> torch.Tensor:
    assert isinstance(pupils, _Pupils)
    return pupils.distance


class _Pupils(nn.Module):
    """A network that stays as it is, with blocks that see what comes to its layers; it gives what the network gives."""

    def __init__(self, network: nn.Module, mimics: Sequence[Mimic]) -> None:
        super().__init__()
        self.network = network
        self.blocks = nn.ModuleList([one.block for one in mimics])
        self.places = [(one.first, one.last) for one in mimics]
        self.distance = torch.zeros(())
        for parameter in network.parameters():
            parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """The network never trains."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, *arguments: torch.Tensor) -> torch.Tensor:
        """What the network gives; in training mode, `distance` is how far the blocks are from its layers."""
        given: dict[str, torch.Tensor] = {}
        made: dict[str, torch.Tensor] = {}
        watched = {name for place in self.places for name in place} if self.training else set()
        hooks = [
            self.network.get_submodule(name).register_forward_hook(_keeping(name, given, made)) for name in watched
        ]
        try:
            with torch.no_grad():
                scores: torch.Tensor = self.network(*arguments)
        finally:
            for hook in hooks:
                hook.remove()
        if self.training:
            self.distance = torch.stack(
                [
                    _relative(block(given[first]), made[last])
                    for block, (first, last) in zip(self.blocks, self.places, strict=True)
                ]
            ).mean()
        return scores


def _keeping(name: str, given: dict[str, torch.Tensor], made: dict[str, torch.Tensor]) -> Callable[..., None]:
    def keep(layer: nn.Module, arguments: tuple[torch.Tensor, ...], answer: torch.Tensor) -> None:
        given[name], made[name] = arguments[0].clone(), answer.clone()  # what follows may write into them

    return keep


def _relative(said: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The squared error as a share of the variance, so that every layer counts alike."""
    return (said - wanted).square().mean() / wanted.var().clamp(min=_SMALLEST)
