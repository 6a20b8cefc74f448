"""Which weights go, by their scores."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from unisono.compress.prune.weights.step import PruneWeights

_FOUR, _GONE = 4, 2
Scores = Mapping[str, torch.Tensor]
Masks = dict[str, torch.Tensor]


def chosen(module: nn.Module, scores: Scores, step: PruneWeights, share: float) -> Masks:
    """Where each layer's weights go: true for those that do. What is zero already goes first.

    share: of all these weights; with the pattern 2:4 of two in each four.
    """
    zeros = {name: module.get_submodule(name).get_parameter("weight") == 0 for name in scores}
    ranked = {name: one.double().masked_fill(zeros[name], -torch.inf) for name, one in scores.items()}
    if step.pattern == "2:4":
        return {name: _of_four(one) for name, one in ranked.items()}
    if step.scope == "row":
        return {name: _lowest(one.flatten(1), share).reshape(one.shape) for name, one in ranked.items()}
    if step.scope == "layer":
        return {name: _lowest(one.reshape(1, -1), share).reshape(one.shape) for name, one in ranked.items()}
    is_size = step.method != "movement"  # sizes of layers differ, and movements are of one loss
    return _of_all({name: _adapted(one) if is_size else one for name, one in ranked.items()}, share)


def _lowest(rows: torch.Tensor, share: float) -> torch.Tensor:
    """The lowest share of each row."""
    count = round(share * rows.shape[1])
    lowest = rows.argsort(dim=1, stable=True)[:, :count]
    return torch.zeros_like(rows, dtype=torch.bool).scatter_(1, lowest, value=True)


def _of_four(scores: torch.Tensor) -> torch.Tensor:
    """The two lowest of each four neighbours in a row."""
    fours = scores.reshape(-1, _FOUR)
    return _lowest(fours, _GONE / _FOUR).reshape(scores.shape)


def _adapted(scores: torch.Tensor) -> torch.Tensor:
    """Squares, each divided by the sum of those of its layer that are not lower (LAMP; Lee et al. 2021)."""
    flat = scores.flatten()
    squares = flat.clamp(min=0).square()
    order = flat.argsort(stable=True)
    stay = squares[order].flip(0).cumsum(0).flip(0)
    adapted = torch.empty_like(squares)
    adapted[order] = squares[order] / stay.clamp(min=torch.finfo(torch.float64).tiny)
    return adapted.masked_fill(flat == -torch.inf, -torch.inf).reshape(scores.shape)


def _of_all(scores: Scores, share: float) -> Masks:
    """The lowest share of all layers together."""
    whole = torch.cat([one.flatten() for one in scores.values()]).reshape(1, -1)
    gone = torch.split(_lowest(whole, share).flatten(), [one.numel() for one in scores.values()])
    return {name: mask.reshape(one.shape) for (name, one), mask in zip(scores.items(), gone, strict=True)}
