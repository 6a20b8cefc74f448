"""Channels of any network, with all that depends on them, found by Torch-Pruning (Fang et al. 2023).

The one file that imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import torch
import torch_pruning
from torch import nn

from unisono.compress.context import Context
from unisono.compress.modules.batches import Batches
from unisono.compress.modules.model import TorchModel
from unisono.compress.prune.nodes.gradients import each_gradient
from unisono.compress.prune.nodes.step import PruneNodes
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing, one_line, quoted

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)


def narrow_channels(
    model: TorchModel, whole: Mapping[str, int], share: float, step: PruneNodes, context: Context
) -> None:
    """Cuts channels out of a module until so many of those it had are gone.

    whole: the widths of its layers before anything was cut.

    Raises ModelError if the module cannot be followed, or nothing can be cut.
    """
    module = model.module
    example = next(Batches(model, context.data.train[:2]).in_order(2)).arguments
    last = _last_layer(module, example)
    before = _widths(module)
    others = [name for name in before if name != last]
    left = sum(before[name] for name in others) / max(sum(whole[name] for name in others), 1)
    if step.importance == "taylor":
        _leave_gradients(model, step, context)
    try:
        pruner = torch_pruning.pruner.BasePruner(
            module,
            example,
            importance=_importance(step),
            global_pruning=True,
            pruning_ratio=max(0.0, 1 - (1 - share) / max(left, 1e-9)),
            max_pruning_ratio=step.most,
            round_to=step.multiple,
            ignored_layers=[module.get_submodule(last), *_excluded(module, step)],
        )
        pruner.step()
    except Exception as error:  # of many kinds, most of them torch's own
        raise _cannot(module, error) from error
    module.zero_grad(set_to_none=True)
    _check(module, example, before, len(model.classes) or 1)


def _importance(step: PruneNodes) -> Any:
    if step.importance == "taylor":
        return torch_pruning.importance.GroupTaylorImportance()
    return torch_pruning.importance.GroupMagnitudeImportance(p=2)


def _leave_gradients(model: TorchModel, step: PruneNodes, context: Context) -> None:
    """The root of the mean square of the gradients of a few rows each: their sum would cancel."""
    parameters = list(model.module.parameters())
    squares = [torch.zeros_like(one) for one in parameters]
    for _ in each_gradient(model, step.seen_rows, context):
        for one, square in zip(parameters, squares, strict=True):
            if one.grad is not None:
                square.addcmul_(one.grad, one.grad)
    for one, square in zip(parameters, squares, strict=True):
        one.grad = square.sqrt()


def _excluded(module: nn.Module, step: PruneNodes) -> list[nn.Module]:
    return [one for name, one in module.named_modules() if any(fnmatchcase(name, each) for each in step.exclude)]


def _last_layer(module: nn.Module, example: tuple[torch.Tensor, ...]) -> str:
    """The name of the layer that is used last: it makes the answer, whose width stays."""
    used: list[str] = []
    hooks = [
        layer.register_forward_hook(lambda *given, name=name: used.append(name))
        for name, layer in module.named_modules()
        if isinstance(layer, _LAYERS)
    ]
    with torch.inference_mode():
        module(*example)
    for hook in hooks:
        hook.remove()
    if not used:
        raise ModelError(
            f"prune_nodes: {type(module).__name__} has no linear layer and no convolution; allowed: one at least; "
            "leave the step out"
        )
    return used[-1]


def _widths(module: nn.Module) -> dict[str, int]:
    return {
        name: layer.get_parameter("weight").shape[0]
        for name, layer in module.named_modules()
        if isinstance(layer, _LAYERS)
    }


def _check(module: nn.Module, example: tuple[torch.Tensor, ...], before: Mapping[str, int], scores: int) -> None:
    """Whether it still works, and is narrower."""
    try:
        with torch.inference_mode():
            given = module(*example)
    except Exception as error:  # torch's own
        raise _cannot(module, error) from error
    changed = [name for name, width in _widths(module).items() if width != before[name]]
    if given.reshape(len(given), -1).shape[1] not in (scores, 1):
        shape = f"rows x {given.reshape(len(given), -1).shape[1]}"
        raise _cannot(module, ValueError(f"its answers have become {shape}"))
    if not changed:
        layers = listing(f"{name} of {width}" for name, width in before.items())
        raise ModelError(
            f"prune_nodes: no layer gets narrower ({layers}); allowed: one at least; lower multiple, raise share, or "
            "exclude fewer"
        )


def _cannot(module: nn.Module, error: Exception) -> ModelError:
    """The error for what cannot be followed, with the layer if the error tells of one."""
    names = [name for name, layer in module.named_modules() if name and type(layer).__name__ in str(error)]
    where = f"layer {quoted(names[0])}" if names else type(module).__name__
    return ModelError(
        f"prune_nodes: {where} cannot be made narrower: {one_line(error)}; allowed: layers that Torch-Pruning can "
        "follow, or a transformer like BERT; exclude it with exclude, or leave the step out"
    )
