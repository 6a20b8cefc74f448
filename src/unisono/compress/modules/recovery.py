"""Training after something was taken away: the original teaches, zeros stay."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unisono.compress.context import Context
from unisono.compress.modules.model import TorchModel
from unisono.compress.modules.training import Hooks, Lesson, Training, train
from unisono.compress.steps.training import TaughtStep
from unisono.compress.teacher import teacher_scores


def recovered(
    model: TorchModel,
    context: Context,
    step: TaughtStep,
    *,
    what: str = "recovering",
    also: Callable[[nn.Module], None] | None = None,
    watching: Callable[[nn.Module], AbstractContextManager[object]] = nullcontext,
) -> TorchModel:
    """A copy of a model, trained on labels and on the scores of the original; weights that are zero stay zero.

    what:     it is called in the progress.
    also:     called with the module after every step of the optimiser, while the gradients are there.
    watching: see `Hooks`.
    """
    data = context.data
    chosen = sampled(data.train.height, step.rows, context.seed)
    frame = data.train[chosen]
    lesson = Lesson(
        frame=frame,
        targets=data.targets(frame),
        taught=teacher_scores(context, "train")[chosen] if step.teacher_share > 0 else None,
    )
    hooks = Hooks(watching=watching, after_step=_both(keep_zeros(model.module), also))
    return train(model, lesson, context, Training.of(step), hooks=hooks, what=what)


def _both(keeper: Callable[[nn.Module], None], also: Callable[[nn.Module], None] | None) -> Callable[[nn.Module], None]:
    def after_step(module: nn.Module) -> None:
        keeper(module)
        if also is not None:
            also(module)

    return after_step


def sampled(height: int, rows: int | None, seed: int) -> NDArray[np.int64]:
    """The places of at most so many rows, drawn by a seed, in order; None: of all."""
    if rows is None or rows >= height:
        return np.arange(height)
    return np.sort(np.random.default_rng(seed).choice(height, rows, replace=False))


def keep_zeros(module: nn.Module) -> ZeroKeeper:
    """What sets the weights of matrices that are zero now back to zero, in this module or in a copy of it."""
    return ZeroKeeper({name: one == 0 for name, one in module.named_parameters() if one.ndim > 1 and (one == 0).any()})


class ZeroKeeper:
    """Sets some weights back to zero.

    masks: name of a parameter -> where it is zero.
    """

    __slots__ = ("_masks",)

    def __init__(self, masks: dict[str, torch.Tensor]) -> None:
        self._masks = masks

    def __call__(self, module: nn.Module) -> None:
        if not self._masks:
            return
        parameters = dict(module.named_parameters())
        with torch.no_grad():
            for name, mask in self._masks.items():
                parameters[name].masked_fill_(mask, 0.0)
