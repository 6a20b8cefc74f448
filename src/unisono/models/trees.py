"""Decision trees as one operator, ONNX TreeEnsemble in float64: no threshold is rounded, no decision flips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from onnx import numpy_helper

from unisono.models.emit import Emitter

AT_MOST, IS_MEMBER = 0, 6  # modes of the operator: x <= split; x is in a set


@dataclass(frozen=True, slots=True)
class Leaf:
    """An end of a tree.

    weight: what it adds.
    target: to which output.
    """

    weight: float
    target: int = 0


@dataclass(frozen=True, slots=True)
class Split:
    """A question of a tree; the first child is for yes.

    feature:      column of the matrix.
    at_most:      asks whether x <= this.
    members:      if any: asks whether x is one of these instead.
    yes_for_nan:  where a missing value goes.
    """

    feature: int
    at_most: float
    yes_for_nan: bool
    members: tuple[float, ...] = ()


Child = tuple[bool, int]
"""Whether it is a leaf, and its number."""


@dataclass(slots=True)
class Forest:
    """Trees being written down; splits and leaves get numbers as they come."""

    targets: int = 1
    roots: list[int] = field(default_factory=list)
    splits: list[Split] = field(default_factory=list)
    children: list[tuple[Child, Child]] = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=list)

    def add_leaf(self, leaf: Leaf) -> Child:
        """Takes in a leaf."""
        self.leaves.append(leaf)
        return (True, len(self.leaves) - 1)

    def add_split(self, split: Split) -> Child:
        """Takes in a split, whose children follow by `set_children`."""
        self.splits.append(split)
        self.children.append(((True, 0), (True, 0)))
        return (False, len(self.splits) - 1)

    def set_children(self, split: Child, yes: Child, no: Child) -> None:
        """Says where a split leads."""
        self.children[split[1]] = (yes, no)

    def end_tree(self, root: Child) -> None:
        """Ends a tree. One that is a leaf only becomes a question with one answer: the operator has no other."""
        if root[0]:
            leaf = root
            root = self.add_split(Split(0, 0.0, yes_for_nan=True))
            self.set_children(root, leaf, leaf)
        self.roots.append(root[1])

    def emit(self, emit: Emitter, matrix: str) -> str:
        """The operator's node: float64 rows x features -> float64 rows x targets, added up tree by tree."""
        yes, no = zip(*self.children, strict=True)
        members = [number for split in self.splits if split.members for number in (*split.members, np.nan)]
        more = {"membership_values": _tensor(np.array(members))} if members else {}
        return emit(
            "TreeEnsemble",
            matrix,
            domain="ai.onnx.ml",
            n_targets=self.targets,
            aggregate_function=1,  # sum
            post_transform=0,
            tree_roots=self.roots,
            nodes_featureids=[split.feature for split in self.splits],
            nodes_splits=_tensor(np.array([split.at_most for split in self.splits])),
            nodes_modes=_tensor(np.array([_mode(split) for split in self.splits], np.uint8)),
            nodes_missing_value_tracks_true=[int(split.yes_for_nan) for split in self.splits],
            nodes_truenodeids=_numbers(yes),
            nodes_trueleafs=[int(leaf) for leaf, _ in yes],
            nodes_falsenodeids=_numbers(no),
            nodes_falseleafs=[int(leaf) for leaf, _ in no],
            leaf_targetids=[leaf.target for leaf in self.leaves],
            leaf_weights=_tensor(np.array([leaf.weight for leaf in self.leaves], np.float64)),
            **more,
        )


def _mode(split: Split) -> int:
    return IS_MEMBER if split.members else AT_MOST


def _tensor(array: np.ndarray) -> object:
    return numpy_helper.from_array(array, "t")


def _numbers(children: Sequence[Child]) -> list[int]:
    return [number for _, number in children]
