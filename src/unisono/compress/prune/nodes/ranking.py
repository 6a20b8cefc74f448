"""Which nodes stay, when those of all layers are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Nodes:
    """Of one layer.

    worth:    of each node that is there.
    whole:    nodes before any was cut.
    multiple: nodes that stay are a multiple of it, unless all stay that are there.
    """

    worth: torch.Tensor
    whole: int
    multiple: int

    def least(self, most: float) -> int:
        """Nodes that have to stay, if so large a share of the whole may go; 1 at least."""
        return min(self._rounded_up(max(1, round(self.whole * (1 - most)))), len(self.worth))

    def _rounded_up(self, count: int) -> int:
        return -(-count // self.multiple) * self.multiple

    def blocks(self, most: float) -> list[tuple[float, int]]:
        """Nodes above the least, some at a time, the best first: (mean worth, how many)."""
        worth = self.worth.sort(descending=True).values
        found, start = [], self.least(most)
        while start < len(worth):
            end = min(start + self.multiple, len(worth))
            found.append((float(worth[start:end].mean()), end - start))
            start = end
        return found


def staying(layers: Mapping[str, Nodes], share: float, most: float) -> dict[str, torch.Tensor]:
    """The places of the nodes that stay in each layer, rising.

    share: of all nodes before any was cut, that is gone afterwards; as near as the multiples allow.
    most:  of one layer's nodes.
    """
    counts = {name: nodes.least(most) for name, nodes in layers.items()}
    wanted = sum(nodes.whole for nodes in layers.values()) * (1 - share) - sum(counts.values())
    offered = [(worth, size, name) for name, nodes in layers.items() for worth, size in nodes.blocks(most)]
    for _, size, name in sorted(offered, key=lambda one: -one[0]):
        if wanted < size / 2:
            break
        counts[name] += size
        wanted -= size
    return {name: nodes.worth.topk(counts[name]).indices.sort().values for name, nodes in layers.items()}
