"""LightGBM's model text, taken apart and put together again: format v4, as version 4 of the library reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from unisono.compress.prune.trees.tree import Tree
from unisono.spec.errors import ModelError

QUESTIONS = ("split_feature", "threshold", "decision_type")
_OF_TREE = ("num_cat", "cat_boundaries", "cat_threshold")
_END, _PARAMETERS = "end of trees", "\nparameters:"
_AVERAGE, _SIZES = "average_output", "tree_sizes="


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Trees by the output that they add to.

    head:    what the text says before its trees.
    foot:    what it says after them.
    trees:   of each output, in order.
    """

    head: str
    foot: str
    trees: tuple[tuple[Tree, ...], ...]

    @property
    def splits(self) -> int:
        """Of all trees."""
        return sum(tree.splits for trees in self.trees for tree in trees)

    @property
    def objective(self) -> str:
        """What the model was fitted to, with its parameters: "binary sigmoid:1"."""
        return _fields(self.head).get("objective", "")


def read_text(text: str) -> Ensemble:
    """The ensemble that a model text says. Raises ModelError for linear trees."""
    body, _, foot = text.partition(_END)
    head, *blocks = body.split("\nTree=")
    outputs = int(_fields(head)["num_tree_per_iteration"])
    trees = [_tree(_fields(block)) for block in blocks]
    if _AVERAGE in head.splitlines():
        for tree in trees:
            tree.leaves = tree.leaves / (len(trees) // outputs)
    said = [line for line in head.splitlines() if line != _AVERAGE and not line.startswith(_SIZES)]
    parts = tuple(tuple(trees[output::outputs]) for output in range(outputs))
    return Ensemble("\n".join(said).rstrip(), _PARAMETERS + foot.partition(_PARAMETERS)[2], parts)


def write_text(ensemble: Ensemble) -> str:
    """The same as a model text.

    Outputs with fewer trees get trees of one leaf that add nothing; what a tree of one leaf adds, joins the first tree
    of its output.
    """
    columns = [_without_single_leaves(trees) for trees in ensemble.trees]
    rows = zip_longest(*columns, fillvalue=leaf_tree(0.0))
    blocks = [f"Tree={number}\n{_block(tree)}\n\n" for number, tree in enumerate(tree for row in rows for tree in row)]
    sizes = " ".join(str(len(block.encode())) for block in blocks)
    return f"{ensemble.head}\n{_SIZES}{sizes}\n\n{''.join(blocks)}{_END}\n{ensemble.foot}"


def leaf_tree(value: float) -> Tree:
    """A tree that asks nothing."""
    none = np.empty(0, np.int64)
    return Tree(none, none, np.array([value]), {name: [] for name in QUESTIONS}, {"num_cat": "0"})


def _without_single_leaves(trees: Sequence[Tree]) -> list[Tree]:
    single = sum(float(tree.leaves[0]) for tree in trees if not tree.splits)
    asking = [tree for tree in trees if tree.splits]
    if not asking:
        return [leaf_tree(single)]
    first = asking[0]
    moved = Tree(first.left, first.right, first.leaves + single, first.questions, first.others)
    return [moved, *asking[1:]]


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _tree(fields: Mapping[str, str]) -> Tree:
    if fields.get("is_linear", "0") != "0":
        raise ModelError("model: linear trees; allowed: constant leaves; fit it with linear_tree=False")
    left, right = (np.array(fields.get(f"{side}_child", "").split(), np.int64) for side in ("left", "right"))
    return Tree(
        left,
        right,
        np.array(fields["leaf_value"].split(), np.float64),
        {name: fields.get(name, "").split() for name in QUESTIONS},
        {name: fields[name] for name in _OF_TREE if name in fields},
    )


def _block(tree: Tree) -> str:
    said: Mapping[str, Iterable[object]] = {
        **tree.questions,
        "left_child": tree.left,
        "right_child": tree.right,
        "leaf_value": (repr(float(value)) for value in tree.leaves),
    }
    lines = [f"num_leaves={len(tree.leaves)}"]
    lines += [f"{name}={words}" for name, words in tree.others.items()]
    lines += [f"{name}={' '.join(map(str, words))}" for name, words in said.items()]
    return "\n".join([*lines, "is_linear=0", "shrinkage=1", ""])
