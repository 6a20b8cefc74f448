"""Takes nodes away, round after round, with training between."""

from __future__ import annotations

from copy import deepcopy

from torch import nn

from unisono.compress.context import Context
from unisono.compress.modules.model import TorchModel
from unisono.compress.modules.recovery import recovered
from unisono.compress.modules.replacing import refuse_unknown
from unisono.compress.prune.nodes.channels import narrow_channels
from unisono.compress.prune.nodes.dropping import without_layers
from unisono.compress.prune.nodes.encoders import blocks_in, narrow_blocks
from unisono.compress.prune.nodes.step import PruneNodes
from unisono.compress.prune.rising import share_after


def pruned(model: TorchModel, step: PruneNodes, context: Context) -> tuple[TorchModel, dict[str, object]]:
    """A copy of a model with fewer nodes, and what was done. Raises ModelError and InputError: see `PruneNodes`."""
    for pattern in step.exclude:
        refuse_unknown(pattern, dict(model.module.named_modules()))
    made, dropped = model.with_module(deepcopy(model.module)), list[int]()
    if step.layers:
        made, dropped = without_layers(made, step.layers, step.seen_rows, context)
    whole = widths(made.module)
    narrow = narrow_blocks if blocks_in(made.module) else narrow_channels
    for done in range(1, step.rounds + 1):
        if step.share:
            narrow(made, whole, share_after(done, step.rounds, step.share), step, context)
        if step.epochs:
            made = recovered(made, context, step, what=f"training, round {done} of {step.rounds}")
    return made, _notes(model, made, whole, dropped)


def widths(module: nn.Module) -> dict[str, int]:
    """The nodes of each layer: outputs of a linear layer, channels of a convolution."""
    found = {}
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear):
            found[name] = layer.out_features
        elif isinstance(layer, nn.Conv1d | nn.Conv2d):
            found[name] = layer.out_channels
    return found


def _notes(before: TorchModel, made: TorchModel, whole: dict[str, int], dropped: list[int]) -> dict[str, object]:
    now = widths(made.module)
    changed = {name: f"{now[name]} of {width}" for name, width in whole.items() if now[name] != width}
    return {
        "layers": changed,
        "dropped_layers": dropped,
        "parameters_before": before.parameters,
        "parameters": made.parameters,
    }
