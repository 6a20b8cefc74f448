"""The layers that can lose weights."""

from __future__ import annotations

from torch import nn

from unisono.compress.modules.replacing import Layers, layers_of
from unisono.compress.prune.weights.step import PruneWeights
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)
_FOUR = 4  # neighbours of the pattern 2:4


def matrices_of(module: nn.Module, step: PruneWeights) -> Layers:
    """These layers, and why others are left alone. Raises ModelError if there is none."""
    kinds = (*_LAYERS, nn.Embedding) if step.embeddings else _LAYERS
    found = layers_of(
        module, kinds, include=step.include, exclude=step.exclude, refuse=lambda layer: _why_not(layer, step)
    )
    if not found.chosen:
        reasons = listing(f"{name}: {why}" for name, why in found.left_alone.items())
        raise ModelError(
            f"prune_weights: no layer can lose weights ({reasons}); allowed: one at least; include other layers, or "
            "lower fewest"
        )
    return found


def _why_not(layer: nn.Module, step: PruneWeights) -> str | None:
    weight = layer.get_parameter("weight")
    if weight.numel() < step.fewest:
        return f"has {weight.numel():,} weights, fewer than {step.fewest:,}"
    if step.pattern == "2:4" and weight[0].numel() % _FOUR:
        return f"its rows of {weight[0].numel()} are no multiple of {_FOUR}"
    return None
