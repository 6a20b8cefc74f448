"""Replaces convolutions by blocks, and lets them learn."""

from __future__ import annotations

from copy import deepcopy

from torch import nn

from unisono.compress.compact.blocks import block_of, refused
from unisono.compress.compact.heads import Pooled, head_of, put_head
from unisono.compress.compact.mimicking import Mimic, mimicked
from unisono.compress.compact.step import Compact
from unisono.compress.context import Context
from unisono.compress.modules.model import TorchModel
from unisono.compress.modules.recovery import recovered
from unisono.compress.modules.replacing import Layers, layers_of, replace_layer
from unisono.compress.modules.seeds import deterministic
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing


def compacted(model: TorchModel, step: Compact, context: Context) -> tuple[TorchModel, dict[str, object]]:
    """A model with blocks for convolutions, trained; and what was done. Raises ModelError: see `Compact`."""
    network = deepcopy(model.module)
    layers = layers_of(
        network,
        (nn.Conv2d,),
        include=step.include,
        exclude=step.exclude,
        refuse=lambda layer: refused(layer, step),
    )
    head = head_of(network) if step.head == "pool" else None
    if not layers.chosen and head is None:
        raise _nothing(layers)
    with deterministic(context.seed):
        mimics = [Mimic(name, name, block_of(_convolution(one), step)) for name, one in layers.chosen.items()]
        if head is not None:
            first, last = (f"{head.place}.{name}".removeprefix(".") for name in (head.first, head.last))
            mimics.append(Mimic(first, last, Pooled(head.channels, head.made)))
    blocks = mimicked(model.with_module(deepcopy(network)), mimics, step, context)
    for name, block in zip(layers.chosen, blocks, strict=False):
        replace_layer(network, name, block)
    if head is not None:
        put_head(network, head, blocks[-1])
    made = recovered(model.with_module(network), context, step, what="learning together")
    return made, _notes(layers, model, made)


def _convolution(layer: nn.Module) -> nn.Conv2d:
    assert isinstance(layer, nn.Conv2d)
    return layer


def _nothing(layers: Layers) -> ModelError:
    reasons = listing(f"{name}: {why}" for name, why in layers.left_alone.items())
    return ModelError(
        f"compact: no convolution can be replaced ({reasons}); allowed: one at least; include others, choose another "
        'block, or pool the head with `head = "pool"`'
    )


def _notes(layers: Layers, model: TorchModel, made: TorchModel) -> dict[str, object]:
    def parameters(one: nn.Module) -> int:
        return sum(parameter.numel() for parameter in one.parameters())

    return {
        "blocks": {
            name: {
                "parameters_before": parameters(layer),
                "parameters": parameters(made.module.get_submodule(name)),
            }
            for name, layer in layers.chosen.items()
        },
        "left_alone": dict(layers.left_alone),
        "parameters_before": model.parameters,
        "parameters": made.parameters,
    }
