"""A tree whose leaves can be merged and fitted again; its questions stay as they were read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(slots=True)
class Tree:
    """One tree of an ensemble that adds its trees up.

    left, right: of each split: the number of a split, or ~ the number of a leaf; children come after their parents.
    leaves:      what each leaf adds.
    questions:   what each split asks, by the names of LightGBM's model text, as words of it.
    others:      lines that belong to the whole tree: sets of categories.
    """

    left: Ints
    right: Ints
    leaves: Floats
    questions: Mapping[str, list[str]]
    others: Mapping[str, str]

    @property
    def splits(self) -> int:
        """How many questions it asks."""
        return len(self.left)

    @property
    def root(self) -> int:
        """Where it begins: its first split, or its only leaf."""
        return 0 if self.splits else -1

    def merge(self, weights: Floats, merged: NDArray[np.bool_]) -> Ints:
        """Makes a leaf of each of these splits, with the mean of the leaves below it; gives each old leaf's new number.

        weights: of the leaves in that mean, above 0.
        merged:  of the splits; all splits below one of them are among them.
        """
        totals, masses = self._sums(weights)
        kept = np.flatnonzero(~merged)
        places = np.full(self.splits, -1, np.int64)
        places[kept] = np.arange(len(kept))
        numbers: dict[int, int] = {}  # old child -> new leaf
        values: list[float] = []

        def child(old: int) -> int:
            if old >= 0 and not merged[old]:
                return int(places[old])
            numbers[old] = len(values)
            values.append(float(self.leaves[~old] if old < 0 else totals[old] / masses[old]))
            return ~numbers[old]

        left = [child(int(one)) for one in self.left[kept]]
        right = [child(int(one)) for one in self.right[kept]]
        if not len(kept):
            child(self.root)
        moved = self._moved(merged, numbers)
        self.left, self.right = np.array(left, np.int64), np.array(right, np.int64)
        self.leaves = np.array(values)
        self.questions = {name: [words[place] for place in kept] for name, words in self.questions.items()}
        return moved

    def _sums(self, weights: Floats) -> tuple[Floats, Floats]:
        """Of each split: weight times value, and weight, of all leaves below it."""
        totals, masses = np.zeros(self.splits), np.zeros(self.splits)
        for split in range(self.splits - 1, -1, -1):
            for child in (int(self.left[split]), int(self.right[split])):
                weight = weights[~child] if child < 0 else masses[child]
                total = weights[~child] * self.leaves[~child] if child < 0 else totals[child]
                masses[split] += weight
                totals[split] += total
        return totals, masses

    def _moved(self, merged: NDArray[np.bool_], numbers: Mapping[int, int]) -> Ints:
        """The new number of each old leaf."""
        moved = np.zeros(len(self.leaves), np.int64)
        waiting = [(self.root, -1)]
        while waiting:
            node, leaf = waiting.pop()
            leaf = numbers.get(node, leaf) if leaf < 0 else leaf
            if node < 0:
                moved[~node] = leaf
            else:
                waiting += [(int(self.left[node]), leaf), (int(self.right[node]), leaf)]
        return moved
