"""The linear layers at the end of a network as one, which sees the mean of each channel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from unisono.compress.modules.replacing import replace_layer
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing, quoted

_STEP = 'put them into one nn.Sequential, or leave `head = "pool"` out'


class Pooled(nn.Module):
    """The mean of each channel, then a linear layer (Lin, Chen, Yan 2014; the last layer of SqueezeNet).

    channels: of the maps that come, flattened: rows x (channels x height x width).
    """

    def __init__(self, channels: int, made: int) -> None:
        super().__init__()
        self.channels = channels
        self.linear = nn.Linear(channels, made)

    def forward(self, flat: torch.Tensor) -> torch.Tensor:
        """Rows x numbers -> rows x scores."""
        scores: torch.Tensor = self.linear(flat.reshape(-1, self.channels, flat.shape[1] // self.channels).mean(dim=2))
        return scores


@dataclass(frozen=True, slots=True)
class Head:
    """Where the linear layers at the end are.

    place:       name of the nn.Sequential that holds them.
    first, last: names in it, of the first and the last of them.
    channels:    of the maps that they see.
    made:        scores of the last.
    """

    place: str
    first: str
    last: str
    channels: int
    made: int


def head_of(module: nn.Module) -> Head:
    """The linear layers at the end. Raises ModelError if they are not in a row, or see no maps."""
    linear = {name: one for name, one in module.named_modules() if isinstance(one, nn.Linear)}
    maps = [one for one in module.modules() if isinstance(one, nn.Conv2d)]
    if not linear or not maps:
        raise ModelError('compact: no convolution before a linear layer; allowed: both; leave `head = "pool"` out')
    names = list(linear)
    place = names[-1].rpartition(".")[0]
    if not isinstance(module.get_submodule(place), nn.Sequential) or {name.rpartition(".")[0] for name in names} != {
        place
    }:
        raise ModelError(
            f"compact: the linear layers {listing(names)} are not in one row; allowed: one nn.Sequential, from which "
            f"what is between them can be taken; {_STEP}"
        )
    channels, given = maps[-1].out_channels, linear[names[0]].in_features
    if given % channels or given == channels:
        raise ModelError(
            f"compact: {quoted(names[0])} sees {given} numbers of {channels} channels; allowed: several of each "
            'channel, which can be pooled; leave `head = "pool"` out'
        )
    first, last = (name.rpartition(".")[2] for name in (names[0], names[-1]))
    return Head(place, first, last, channels, linear[names[-1]].out_features)


def put_head(module: nn.Module, head: Head, pooled: nn.Module) -> None:
    """Puts one layer in the place of those at the end, and of all that is between them."""
    parts = module.get_submodule(head.place)
    names = [name for name, _ in parts.named_children()]
    for name in names[names.index(head.first) + 1 : names.index(head.last) + 1]:
        delattr(parts, name)
    replace_layer(parts, head.first, pooled)
