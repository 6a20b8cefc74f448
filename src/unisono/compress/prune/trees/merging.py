"""Which splits are missed least."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unisono.compress.prune.trees.tree import Floats, Tree


def cheapest_splits(trees: Sequence[Tree], curvatures: Sequence[Floats], count: int) -> list[NDArray[np.bool_]]:
    """So many splits that cost least, of each tree a mask; all splits below a chosen one are chosen too.

    curvatures: of the loss, of each leaf of each tree.

    Where the leaves are fitted, two leaves of values v, w and curvatures a, b that become one leaf of their mean raise
    the loss by half of a b / (a + b) (v - w)^2, to second order. Always the cheapest pair of all trees is next; what
    becomes a leaf may be one of the next pair.
    """
    nodes = [_Nodes(tree, curvature) for tree, curvature in zip(trees, curvatures, strict=True)]
    waiting = [
        (one.cost(split), number, split)
        for number, one in enumerate(nodes)
        for split in range(one.tree.splits)
        if one.has_leaves(split)
    ]
    heapq.heapify(waiting)
    for _ in range(count):
        if not waiting:
            break
        _, number, split = heapq.heappop(waiting)
        one = nodes[number]
        parent = one.merge(split)
        if parent >= 0 and one.has_leaves(parent):
            heapq.heappush(waiting, (one.cost(parent), number, parent))
    return [one.merged for one in nodes]


class _Nodes:
    """The splits of a tree, with the weight and value of those that have become leaves."""

    def __init__(self, tree: Tree, curvatures: Floats) -> None:
        self.tree, self._curvatures = tree, curvatures
        self.merged = np.zeros(tree.splits, np.bool_)
        self._parents = np.full(tree.splits, -1)
        for parent, children in enumerate(zip(tree.left, tree.right, strict=True)):
            for child in children:
                if child >= 0:
                    self._parents[child] = parent
        self._weights, self._values = np.zeros(tree.splits), np.zeros(tree.splits)

    def has_leaves(self, split: int) -> bool:
        """Whether nothing is asked below it."""
        return all(child < 0 or self.merged[child] for child in self._children(split))

    def cost(self, split: int) -> float:
        """By how much the loss rises if it becomes a leaf; its children are leaves."""
        (left, low), (right, high) = map(self._leaf, self._children(split))
        return float(0.5 * left * right / (left + right) * (low - high) ** 2)

    def merge(self, split: int) -> int:
        """It becomes a leaf; gives its parent, -1 for none."""
        (left, low), (right, high) = map(self._leaf, self._children(split))
        self._weights[split] = left + right
        self._values[split] = (left * low + right * high) / (left + right)
        self.merged[split] = True
        return int(self._parents[split])

    def _children(self, split: int) -> tuple[int, int]:
        return int(self.tree.left[split]), int(self.tree.right[split])

    def _leaf(self, child: int) -> tuple[float, float]:
        """Weight and value of a child that is a leaf by now."""
        if child < 0:
            return float(self._curvatures[~child]), float(self.tree.leaves[~child])
        return float(self._weights[child]), float(self._values[child])
