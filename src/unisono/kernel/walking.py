"""Decision trees as an importer or a graph has them, and the order in which the kernel wants their nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MOST_SPLITS = 1 << 27
"""Of all trees: some 10 GB of tables."""


class TreesError(ValueError):
    """What was given are no trees; the message says why."""


@dataclass(frozen=True, slots=True)
class Trees:
    """Decision trees: splits and leaves, and where each tree begins.

    feature:     a split: the column that it asks about.
    threshold:   a split: it asks whether x <= this; not NaN.
    member_of:   a split: place in `sets` if it asks whether x is in a set instead, else -1.
    missing_yes: a split: whether a missing value (NaN) gets a yes.
    yes, no:     a split: the split that follows, or ~leaf.
    sets:        sets of numbers without NaN; they may be empty.
    weight:      a leaf: what it adds.
    target:      a leaf: to which sum.
    roots:       a tree: its first split, or ~leaf.
    targets:     how many sums there are.
    """

    feature: Ints
    threshold: Floats
    member_of: Ints
    missing_yes: Bools
    yes: Ints
    no: Ints
    sets: tuple[tuple[float, ...], ...]
    weight: Floats
    target: Ints
    roots: Ints
    targets: int


@dataclass(frozen=True, slots=True)
class Walk:
    """Every split of every tree: tree by tree, parents first.

    root:   a tree: its first split, or ~leaf.
    target: a tree: the sum that its leaves add to.
    splits: a tree: how many it has.
    tree:   a place of the walk: its tree.
    split:  a place: the split that is there.
    above:  a place: twice that of its parent, and one more if it is on the side of no; -1 at a root.
    """

    root: Ints
    target: Ints
    splits: Ints
    tree: Ints
    split: Ints
    above: Ints


def walk(trees: Trees) -> Walk:
    """Where every node comes. A tree of the walk adds to one sum: one whose leaves add to several comes several times.

    Raises TreesError if a tree leads to what is not there, or twice to one split.
    """
    _check_numbers(trees)
    tree, split, above = _splits(trees, trees.roots, len(trees.feature))
    owner, target = _sums(trees, tree, split)
    if len(owner) > len(trees.roots):
        tree, split, above = _splits(trees, trees.roots[owner], MOST_SPLITS)
    splits = np.bincount(tree, minlength=len(owner))
    return Walk(trees.roots[owner], target, splits, tree, split, above)


def _check_numbers(trees: Trees) -> None:
    for children in (trees.roots, trees.yes, trees.no):
        if np.any(children < -len(trees.weight)) or np.any(children >= len(trees.feature)):
            raise TreesError("a tree leads to a split or a leaf that is not there")
    if np.any(trees.target < 0) or np.any(trees.target >= trees.targets):
        raise TreesError("a leaf adds to a sum that is not there")
    if np.any(trees.feature < 0) or np.any(trees.member_of >= len(trees.sets)):
        raise TreesError("a split asks about a column or a set that is not there")


def _splits(trees: Trees, roots: Ints, most: int) -> tuple[Ints, Ints, Ints]:
    """Tree, split and `above` of every place, level by level and then put tree by tree."""
    children = np.stack([trees.yes, trees.no], axis=1)
    tree, split, above = np.arange(len(roots)), roots, np.full(len(roots), -1)
    levels: list[tuple[Ints, Ints, Ints]] = []
    before = 0
    while True:
        inner = split >= 0
        tree, split, above = tree[inner], split[inner], above[inner]
        if before + len(split) > most:
            raise TreesError("trees share splits, come back to one, or have too many")
        if not len(split):
            return _by_tree(levels)
        levels.append((tree, split, above))
        edges = 2 * (before + np.arange(len(split)))
        before += len(split)
        tree, above = np.repeat(tree, 2), np.stack([edges, edges + 1], axis=1).reshape(-1)
        split = children[split].reshape(-1)


def _by_tree(levels: list[tuple[Ints, Ints, Ints]]) -> tuple[Ints, Ints, Ints]:
    if not levels:
        none = np.zeros(0, np.int64)
        return none, none, none
    tree, split, above = (np.concatenate(part) for part in zip(*levels, strict=True))
    order = np.argsort(tree, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    above = above[order]
    return tree[order], split[order], np.where(above < 0, -1, 2 * place[above >> 1] + (above & 1))


def _sums(trees: Trees, tree: Ints, split: Ints) -> tuple[Ints, Ints]:
    """Each pair of a tree and a sum that one of its leaves adds to, in order."""
    owner = np.concatenate([np.arange(len(trees.roots)), tree, tree])
    child = np.concatenate([trees.roots, trees.yes[split], trees.no[split]])
    is_leaf = child < 0
    pairs = np.unique(owner[is_leaf] * trees.targets + trees.target[~child[is_leaf]])
    return pairs // trees.targets, pairs % trees.targets
