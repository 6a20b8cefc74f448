"""Where weights move while a module is trained."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

_SCORE = "_movement"


class Movement:
    """Sums up how far training moves weights away from zero: minus gradient times weight, step by step.

    The scores of movement pruning (Sanh, Wolf, Rush 2020), with one difference: a weight that has become zero has no
    gradient here, and does not come back. They are buffers of the layers, so that a training that is cut goes on with
    them.

    names: of the layers.
    """

    __slots__ = ("_names",)

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)

    def begin(self, module: nn.Module) -> None:
        """Scores of 0 in a module, and in copies of it."""
        for name in self._names:
            layer = module.get_submodule(name)
            layer.register_buffer(_SCORE, torch.zeros_like(layer.get_parameter("weight")))

    def __call__(self, module: nn.Module) -> None:
        """After a step of the optimiser, while the gradients are still there."""
        with torch.no_grad():
            for name in self._names:
                layer = module.get_submodule(name)
                weight = layer.get_parameter("weight")
                if weight.grad is not None:
                    layer.get_buffer(_SCORE).addcmul_(weight.grad, weight, value=-1.0)

    def end(self, module: nn.Module) -> dict[str, torch.Tensor]:
        """The scores, which are taken out of the module."""
        found = {}
        for name in self._names:
            layer = module.get_submodule(name)
            found[name] = layer.get_buffer(_SCORE).clone()
            delattr(layer, _SCORE)
        return found
