"""XGBoost's trees: its questions of float32 numbers, and its sums of float32 leaves, tree after tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from unisono.models.emit import Emitter
from unisono.models.exponential import sum_in_order
from unisono.models.trees import Child, Forest, Leaf, Split
from unisono.spec.errors import ModelError

Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trees:
    """The trees that answer.

    trees:   as the model's JSON has them.
    groups:  to which output each adds; as many to each.
    weights: what the leaves of each are multiplied by (dart).
    margins: what each output begins with.
    """

    trees: Sequence[Node]
    groups: Sequence[int]
    weights: Sequence[float]
    margins: NDArray[np.float32]


def emit_scores(emit: Emitter, trees: Trees, matrix: str) -> str:
    """The nodes of the raw scores, float32 rows x outputs, with the bits of XGBoost's.

    matrix: float64, NaN where there is no value.

    An output's sum begins with its margin, and each tree's leaf is added in float32: so every tree has a column of its
    own first. Raises ModelError for leaves that hold several numbers.
    """
    outputs = len(trees.margins)
    forest = Forest(len(trees.trees) + outputs)
    columns = iter(range(forest.targets))
    for output, margin in enumerate(trees.margins):
        forest.end_tree(forest.add_leaf(Leaf(float(margin), next(columns))))
        for tree, group, weight in zip(trees.trees, trees.groups, trees.weights, strict=True):
            if group == output:
                forest.end_tree(_add_tree(forest, tree, next(columns), np.float32(weight)))
    leaves = emit("Cast", forest.emit(emit, _prepared(emit, matrix, trees)), to=TensorProto.FLOAT)
    by_output = emit("Reshape", leaves, emit.constant(np.array([-1, outputs, forest.targets // outputs])))
    return emit("Squeeze", sum_in_order(emit, by_output, axis=2), emit.constant(np.array([2])))


def _prepared(emit: Emitter, matrix: str, trees: Trees) -> str:
    """The numbers as XGBoost sees them: rounded to float32 (and compared as float64), categories cut to whole ones."""
    seen = emit("Cast", emit("Cast", matrix, to=TensorProto.FLOAT), to=TensorProto.DOUBLE)
    categorical = {int(tree["split_indices"][node]) for tree in trees.trees for node in tree["categories_nodes"]}
    if not categorical:
        return seen
    is_category = np.zeros(int(trees.trees[0]["tree_param"]["num_feature"]), np.bool_)
    is_category[list(categorical)] = True
    # Down, not towards 0: what is below 0 is no category.
    return emit("Where", emit.constant(is_category), emit("Floor", seen), seen)


def _add_tree(forest: Forest, tree: Node, target: int, weight: np.float32) -> Child:
    """Takes in a tree; without recursion, since a tree may be deep."""
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise ModelError(
            'model: trees of several numbers a leaf; allowed: of one; fit it with multi_strategy="one_output_per_tree"'
        )
    members = _members(tree)
    made: dict[int, Child] = {}
    waiting = [(0, False)]
    while waiting:
        node, has_children = waiting.pop()
        left, right = int(tree["left_children"][node]), int(tree["right_children"][node])
        if left < 0:
            made[node] = forest.add_leaf(Leaf(float(np.float32(tree["split_conditions"][node]) * weight), target))
        elif has_children:
            yes, no = (right, left) if node in members else (left, right)
            forest.set_children(made[node], made[yes], made[no])
        else:
            made[node] = forest.add_split(_split(tree, node, members.get(node)))
            waiting += [(node, True), (right, False), (left, False)]
    return made[0]


def _members(tree: Node) -> dict[int, tuple[float, ...]]:
    """The categories that go to the right, by node."""
    starts, sizes = tree["categories_segments"], tree["categories_sizes"]
    found = {}
    for node, start, size in zip(tree["categories_nodes"], starts, sizes, strict=True):
        found[int(node)] = tuple(float(category) for category in tree["categories"][start : start + size])
    return found


def _split(tree: Node, node: int, members: tuple[float, ...] | None) -> Split:
    feature, missing_goes_left = int(tree["split_indices"][node]), bool(tree["default_left"][node])
    if members is not None:
        return Split(feature, 0.0, yes_for_nan=not missing_goes_left, members=members)
    # XGBoost asks whether x < c of two float32 numbers, which is x <= the one before c.
    before = np.nextafter(np.float32(tree["split_conditions"][node]), np.float32(-np.inf))
    return Split(feature, float(before), missing_goes_left)
