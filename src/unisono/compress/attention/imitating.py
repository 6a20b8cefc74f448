"""Other attention learns to give what softmax attention gave: layer by layer from the same input, then all together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Self

import torch
from torch import nn

from unisono.compress.attention.layers import Mixing
from unisono.compress.attention.step import LinearAttention
from unisono.compress.context import Context
from unisono.compress.distil.hints import Hints
from unisono.compress.distil.layers import blocks_of
from unisono.compress.distil.lessons import rows_of
from unisono.compress.modules.batches import Batch
from unisono.compress.modules.model import TorchModel
from unisono.compress.modules.recovery import sampled
from unisono.compress.modules.training import NO_HOOKS, Hooks, Lesson, Training, train

_SMALLEST = 1e-6  # variance of what a layer gives that still counts
_GIVEN = ("hidden_states", "query")  # what attention's first argument is called


def layers_taught(
    model: TorchModel, mixings: Mapping[str, Mixing], step: LinearAttention, context: Context
) -> dict[str, Mixing]:
    """Attention by name, after each has seen what its original makes of the rows (Romero et al.: FitNets, 2015)."""
    if step.layer_epochs == 0:
        return dict(mixings)
    pupils = model.with_module(_Pupils(deepcopy(model.module), mixings))
    lesson = _lesson(model, step, context)
    hooks = Hooks(extra_loss=_distance)
    settings = Training.of(step, epochs=step.layer_epochs)
    alone = Lesson(frame=lesson.frame, targets=None)
    learnt: Any = train(pupils, alone, context, settings, hooks=hooks, what="learning layer by layer")
    return dict(zip(mixings, learnt.module.mixings, strict=True))


def taught_together(original: TorchModel, made: TorchModel, step: LinearAttention, context: Context) -> TorchModel:
    """All layers, after they have seen hidden states and scores of the original."""
    if step.epochs == 0:
        return made
    hooks = NO_HOOKS
    blocks = blocks_of(original.module)
    if blocks is not None and step.hidden > 0:
        hints = Hints(original.module, range(len(blocks)), step.hidden, attention=0.0, precision=step.precision)
        hooks = Hooks(watching=hints.watching, extra_loss=hints)
    lesson = _lesson(original, step, context)
    return train(made, lesson, context, Training.of(step), hooks=hooks, what="learning together")


def _lesson(model: TorchModel, step: LinearAttention, context: Context) -> Lesson:
    """Rows with the original's answers, and with nobody's labels."""
    rows = rows_of(context, model.columns)
    chosen = sampled(rows.frame.height, step.rows, context.seed)
    return Lesson(frame=rows.frame[chosen], targets=None, taught=rows.taught[chosen])


def _distance(pupils: nn.Module, batch: Batch, scores: torch.Tensor) -> torch.Tensor:
    assert isinstance(pupils, _Pupils)
    return pupils.distance


class _Pupils(nn.Module):
    """A network that stays as it is, whose answers it gives, with other attention that sees what comes to its own."""

    def __init__(self, network: nn.Module, mixings: Mapping[str, Mixing]) -> None:
        super().__init__()
        self.network = network
        self.mixings = nn.ModuleList(mixings.values())
        self.names = tuple(mixings)
        self.distance = torch.zeros(())
        for parameter in network.parameters():
            parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """The network never trains."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, *arguments: torch.Tensor) -> torch.Tensor:
        """What the network gives; in training mode, `distance` is how far the others are from its attention."""
        seen: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        watched = self.names if self.training else ()
        hooks = [
            self.network.get_submodule(name).register_forward_hook(_keeping(name, seen), with_kwargs=True)
            for name in watched
        ]
        try:
            with torch.no_grad():
                scores: torch.Tensor = self.network(*arguments)
        finally:
            for hook in hooks:
                hook.remove()
        if self.training:
            self.distance = torch.stack([self._relative(name, *seen[name]) for name in self.names]).mean()
        return scores

    def _relative(self, name: str, given: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
        """The squared error as a share of the variance, so that every layer counts alike."""
        mixing = self.mixings[self.names.index(name)]
        assert isinstance(mixing, Mixing)
        said = mixing.mixed(given).float()
        return (said - made).square().mean() / made.var().clamp(min=_SMALLEST)


def _keeping(name: str, seen: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> Callable[..., None]:
    def keep(layer: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any], answer: Any) -> None:
        given = arguments[0] if arguments else next(named[one] for one in _GIVEN if one in named)
        pair = [given, answer[0]]
        if getattr(layer, "batch_first", True) is False:
            pair = [one.transpose(0, 1) for one in pair]
        seen[name] = (pair[0].clone(), pair[1].float().clone())  # what follows may write into them

    return keep
