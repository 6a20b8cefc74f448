"""The leaves of all trees, fitted again together.

Boosting fits each tree to what the trees before it left, and never comes back to it. Here each tree's leaves are fitted
to what all the others leave, tree after tree and round after round (block coordinate descent with Newton's step, whose
curvature is diagonal, since a row is in one leaf of a tree): Ren et al., Global Refinement of Random Forest, CVPR 2015.
So fewer trees, and trees with fewer leaves, say nearly the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unisono.compress.prune.trees.objectives import Floats, Objective
from unisono.compress.prune.trees.tree import Tree

Places = NDArray[np.unsignedinteger]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as an ensemble sees them.

    places:  of each tree: the leaf that each row ends in.
    targets: rows x outputs.
    """

    places: list[Places]
    targets: Floats

    def scores(self, trees: Sequence[Tree], outputs: Sequence[int], base: Floats) -> Floats:
        """What the trees add up to, rows x outputs."""
        scores = np.tile(base, (len(self.targets), 1))
        for tree, output, places in zip(trees, outputs, self.places, strict=True):
            scores[:, output] += tree.leaves[places]
        return scores


class Refit:
    """An ensemble whose leaves are being fitted; it changes the trees that it is given.

    trees:     of all outputs.
    outputs:   to which output each adds.
    rows:      to fit to.
    held:      to judge by.
    ridge:     weight of the squares of the leaves in the loss, as a share of the curvature over all rows.
    """

    def __init__(
        self, trees: list[Tree], outputs: list[int], rows: Rows, held: Rows, *, objective: Objective, ridge: float = 0.0
    ) -> None:
        self.trees, self.outputs, self.rows, self.held = trees, outputs, rows, held
        self.base = np.zeros(rows.targets.shape[1])
        self.curvatures: list[Floats] = [np.ones(len(tree.leaves)) for tree in trees]
        self._objective, self._ridge = objective, ridge

    @property
    def splits(self) -> int:
        """Of all trees."""
        return sum(tree.splits for tree in self.trees)

    def with_ridge(self, ridge: float) -> Refit:
        """The same from here on with another ridge; what is done to one is not done to the other."""
        rows, held = (Rows(list(one.places), one.targets) for one in (self.rows, self.held))
        trees = [replace(tree) for tree in self.trees]
        made = Refit(trees, list(self.outputs), rows, held, objective=self._objective, ridge=ridge)
        made.base, made.curvatures = self.base.copy(), list(self.curvatures)
        return made

    def loss(self) -> float:
        """On the rows to judge by."""
        scores = self.held.scores(self.trees, self.outputs, self.base)
        return self._objective.loss(self._objective.means(scores), self.held.targets)

    def sweep(self) -> None:
        """Fits each tree's leaves once, and what all of them are added to."""
        scores = self.rows.scores(self.trees, self.outputs, self.base)
        self._fit_base(scores)
        for number, (tree, output) in enumerate(zip(self.trees, self.outputs, strict=True)):
            slopes, curvatures = self._slopes(scores, output)
            places, leaves = self.rows.places[number], len(tree.leaves)
            slope = np.bincount(places, slopes, leaves)
            ridge = self._ridge * float(curvatures.sum())
            curvature = np.bincount(places, curvatures, leaves).astype(np.float64) + ridge
            step = self._limited(-(slope + ridge * tree.leaves) / curvature)
            tree.leaves = tree.leaves + step
            self.curvatures[number] = curvature
            scores[:, output] += step[places]

    def _fit_base(self, scores: Floats) -> None:
        for output in range(len(self.base)):
            slopes, curvatures = self._slopes(scores, output)
            step = self._limited(np.asarray(-slopes.sum() / curvatures.sum()))
            self.base[output] += step
            scores[:, output] += step

    def _slopes(self, scores: Floats, output: int) -> tuple[Floats, Floats]:
        """Of one output, a row each."""
        means = self._objective.means(scores)[:, output]
        return self._objective.slopes(means, self.rows.targets[:, output])

    def _limited(self, step: Floats) -> Floats:
        largest = self._objective.largest_step
        return np.asarray(np.clip(step, -largest, largest), np.float64)

    def merge(self, chosen: Sequence[NDArray[np.bool_]]) -> None:
        """Makes leaves of the chosen splits of each tree, and drops the trees that ask nothing more."""
        for number, (tree, merged) in enumerate(zip(self.trees, chosen, strict=True)):
            if merged.any():
                moved = tree.merge(self.curvatures[number], merged).astype(self.rows.places[number].dtype)
                self.rows.places[number] = moved[self.rows.places[number]]
                self.held.places[number] = moved[self.held.places[number]]
                self.curvatures[number] = np.ones(len(tree.leaves))
        self._drop_single_leaves()

    def _drop_single_leaves(self) -> None:
        for number in range(len(self.trees) - 1, -1, -1):
            if not self.trees[number].splits:
                self.base[self.outputs[number]] += self.trees[number].leaves[0]
                for one in (self.trees, self.outputs, self.curvatures, self.rows.places, self.held.places):
                    del one[number]
