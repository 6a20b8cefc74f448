"""Heads and neurons of transformers like BERT, by the names of their parts.

Nothing is traced: a head is so many rows of three layers and columns of a fourth, a neuron is a row of one and a column
of the next. That holds for whatever the layers compute between, and no mask, cache or view of attention is in the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from unisono.compress.context import Context
from unisono.compress.modules.model import TorchModel
from unisono.compress.prune.nodes.gradients import each_gradient
from unisono.compress.prune.nodes.ranking import Nodes, staying
from unisono.compress.prune.nodes.step import PruneNodes
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing

_ATTENTION = (
    ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"),
    ("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"),
)
"""Of BERT (RoBERTa, ELECTRA, MiniLM), and of DistilBERT."""

_FEED_FORWARD = (("intermediate.dense", "output.dense"), ("ffn.lin1", "ffn.lin2"))
_HEAD_SIZE = "attention_head_size"


@dataclass(frozen=True, slots=True)
class Part:
    """Nodes of one layer.

    makers: names of the layers whose rows they are.
    taker:  name of the layer whose columns they are.
    width:  rows of a node: the size of a head, or 1.
    """

    makers: tuple[str, ...]
    taker: str
    width: int


def stack_of(module: nn.Module) -> nn.ModuleList:
    """The list of its layers. There must be one: see `blocks_in`."""
    return module.get_submodule(blocks_in(module)[0].rpartition(".")[0])  # type: ignore[return-value]


def blocks_in(module: nn.Module) -> list[str]:
    """The names of a transformer's layers; none if it is not like BERT."""
    found = [
        name
        for name, block in module.named_modules()
        if any(_has(block, parts) for parts in _ATTENTION) and any(_has(block, parts) for parts in _FEED_FORWARD)
    ]
    lists = {name.rpartition(".")[0] for name in found}
    return found if len(lists) == 1 and isinstance(module.get_submodule(lists.pop()), nn.ModuleList) else []


def _has(block: nn.Module, parts: Sequence[str]) -> bool:
    names = dict(block.named_modules())
    return all(isinstance(names.get(part), nn.Linear) for part in parts)


def narrow_blocks(
    model: TorchModel, whole: Mapping[str, int], share: float, step: PruneNodes, context: Context
) -> None:
    """Cuts heads and neurons out of a module until so many of them all are gone.

    whole: the widths of its layers before anything was cut.

    Raises ModelError if all its layers are excluded.
    """
    heads, neurons = _parts(model.module, step)
    groups = [group for group, wanted in ((heads, step.heads), (neurons, step.neurons)) if wanted and group]
    if not groups:
        raise ModelError(
            f"prune_nodes: nothing of {listing(blocks_in(model.module))} may go; allowed: heads or neurons of one "
            "layer at least; exclude fewer"
        )
    scores = _scores(model, [part for group in groups for part in group], step, context)
    for group in groups:
        nodes = {
            part.taker: Nodes(scores[part.taker], whole[part.makers[0]] // part.width, step.multiple // part.width or 1)
            for part in group
        }
        kept = staying(nodes, share, step.most)
        for part in group:
            _cut(model.module, part, kept[part.taker])


def _parts(module: nn.Module, step: PruneNodes) -> tuple[list[Part], list[Part]]:
    heads, neurons = [], []
    for name in blocks_in(module):
        block = module.get_submodule(name)
        for parts in _ATTENTION:
            if _has(block, parts) and not _excluded(name, parts, step.exclude):
                size = _head_size(block.get_submodule(parts[0].rpartition(".")[0]), name)
                heads.append(Part(tuple(f"{name}.{one}" for one in parts[:-1]), f"{name}.{parts[-1]}", size))
        for first, second in _FEED_FORWARD:
            if _has(block, (first, second)) and not _excluded(name, (first, second), step.exclude):
                neurons.append(Part((f"{name}.{first}",), f"{name}.{second}", 1))
    return heads, neurons


def _excluded(name: str, parts: Sequence[str], patterns: Sequence[str]) -> bool:
    names = [name, *(f"{name}.{part}" for part in parts)]
    return any(fnmatchcase(one, pattern) for one in names for pattern in patterns)


def _head_size(attention: nn.Module, name: str) -> int:
    size: Any = getattr(attention, _HEAD_SIZE, None)
    if not isinstance(size, int):
        raise ModelError(
            f"prune_nodes: {name}: {type(attention).__name__} does not say how large its heads are; allowed: one with "
            f"{_HEAD_SIZE}; say heads = false, or exclude it"
        )
    return size


def _scores(model: TorchModel, parts: Sequence[Part], step: PruneNodes, context: Context) -> dict[str, torch.Tensor]:
    """By the name of the layer that takes them: how much each node matters."""
    worth = _taylor if step.importance == "taylor" else _magnitude
    return worth(model, parts, step, context)


def _magnitude(model: TorchModel, parts: Sequence[Part], step: PruneNodes, context: Context) -> dict[str, torch.Tensor]:
    """Squares of all weights of a node, of its layer's mean: layers have sizes of their own."""
    found = {}
    for part in parts:
        rows = sum(_per_node(_weight(model, one).square().sum(dim=1), part) for one in part.makers)
        whole = rows + _per_node(_weight(model, part.taker).square().sum(dim=0), part)
        found[part.taker] = whole / whole.mean()
    return found


def _taylor(model: TorchModel, parts: Sequence[Part], step: PruneNodes, context: Context) -> dict[str, torch.Tensor]:
    """The loss's derivative by a factor in front of a node, squared, of some rows at a time: how far it would move."""
    found = {part.taker: torch.zeros(_weight(model, part.taker).shape[1] // part.width) for part in parts}
    for _ in each_gradient(model, step.seen_rows, context):
        for part in parts:
            weight = model.module.get_submodule(part.taker).get_parameter("weight")
            if weight.grad is not None:
                moved = (weight.grad * weight.detach()).sum(dim=0)
                found[part.taker] += _per_node(moved, part).square()
    return found


def _per_node(numbers: torch.Tensor, part: Part) -> torch.Tensor:
    return numbers.reshape(-1, part.width).sum(dim=1)


def _weight(model: TorchModel, name: str) -> torch.Tensor:
    return model.module.get_submodule(name).get_parameter("weight").detach()


def _cut(module: nn.Module, part: Part, nodes: torch.Tensor) -> None:
    """Leaves some nodes; their places, rising."""
    places = (nodes[:, None] * part.width + torch.arange(part.width)).flatten()
    for name in part.makers:
        _narrow(module.get_submodule(name), lambda weight: weight[places], out_features=len(places))
        bias = module.get_submodule(name)._parameters.get("bias")
        if bias is not None:
            module.get_submodule(name).bias = nn.Parameter(bias.detach()[places].clone())
    _narrow(module.get_submodule(part.taker), lambda weight: weight[:, places], in_features=len(places))
    _tell_the_heads(module.get_submodule(part.makers[0].rpartition(".")[0]), part, len(nodes))


def _narrow(layer: nn.Module, cut: Callable[[torch.Tensor], torch.Tensor], **sizes: int) -> None:
    layer.weight = nn.Parameter(cut(layer.get_parameter("weight").detach()).clone())
    for name, size in sizes.items():
        setattr(layer, name, size)


def _tell_the_heads(attention: nn.Module, part: Part, count: int) -> None:
    for name, said in (("num_attention_heads", count), ("n_heads", count), ("all_head_size", count * part.width)):
        if part.width > 1 and hasattr(attention, name):
            setattr(attention, name, said)
