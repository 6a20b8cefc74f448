"""Layers that compute as if they were quantised, for as long as they are watched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import nn

from unisono.compress.modules.replacing import Layers, layers_of
from unisono.compress.quantise.aware.step import QuantiseAware
from unisono.compress.quantise.reading import GELU_LEAST
from unisono.compress.quantise.weights import FULL, SAFE
from unisono.spec.errors import ModelError

_KINDS = (nn.Linear, nn.Conv2d)
_REACH, _LEVELS = 127, 255
_SMALLEST = 1e-30

Forward = Callable[[torch.Tensor], torch.Tensor]


def layers_to_round(module: nn.Module) -> Layers:
    """Linear layers and convolutions. Raises ModelError if there are none."""
    layers = layers_of(module, _KINDS)
    if not layers.chosen:
        raise ModelError(
            "quantise_aware: the module has no layer that can be rounded; allowed: Linear or Conv2d layers that "
            "compute by themselves; leave the step out"
        )
    return layers


def rounding(names: Iterable[str], step: QuantiseAware) -> Callable[[nn.Module], AbstractContextManager[None]]:
    """What makes some layers of a module compute with rounded weights and rows, until it is left."""
    chosen = list(names)

    @contextmanager
    def watching(module: nn.Module) -> Iterator[None]:
        layers = [module.get_submodule(name) for name in chosen]
        for layer in layers:
            layer.forward = _rounded_forward(layer, step)
        try:
            yield
        finally:
            for layer in layers:
                del layer.forward

    return watching


def _rounded_forward(layer: nn.Module, step: QuantiseAware) -> Forward:
    assert isinstance(layer, _KINDS)

    def forward(given: torch.Tensor) -> torch.Tensor:
        weight = rounded_weight(layer.weight, largest=SAFE if step.portable else FULL, per=step.per)
        if isinstance(layer, nn.Linear):
            return nn.functional.linear(rounded_rows(given, (-1,)), weight, layer.bias)
        images = rounded_rows(given, tuple(range(1, given.ndim)))
        made: torch.Tensor = layer._conv_forward(images, weight, layer.bias)
        return made

    return forward


def rounded_weight(weight: torch.Tensor, *, largest: int, per: str) -> torch.Tensor:
    """Weights on the grid of `quantise.weights.whole`; the first axis is the channels."""
    tops = weight.detach().abs()
    top = tops.amax(dim=tuple(range(1, weight.ndim)), keepdim=True) if per == "channel" else tops.max()
    return _on_grid(weight, top.clamp_min(_SMALLEST) / largest, 0.0)


def rounded_rows(given: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    """What a layer is given, on the grid that each row has; see `quantise.activations`.

    axes: along which numbers share a scale.
    """
    known = given.detach()
    least = float(known.min()) if known.numel() else 0.0
    if least >= 0 or (least >= GELU_LEAST and axes == (-1,)):
        floor = 0.0 if least >= 0 else GELU_LEAST
        top = (known - floor).amax(dim=axes, keepdim=True)
        return _on_grid(given, top.clamp_min(_SMALLEST) / _LEVELS, floor)
    top = known.abs().amax(dim=axes, keepdim=True)
    return _on_grid(given, top.clamp_min(_SMALLEST) / _REACH, 0.0)


def _on_grid(numbers: torch.Tensor, step: torch.Tensor, floor: float) -> torch.Tensor:
    """The nearest steps from the floor; the gradient is that of the numbers themselves."""
    known = numbers.detach()
    near = torch.round((known - floor) / step) * step + floor
    return numbers + (near - known)
