"""CatBoost's trees: symmetric ones ask the same question at every node of a level, others each their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unisono.models.emit import Emitter
from unisono.models.importers.catboost_features import Features
from unisono.models.trees import Child, Forest, Leaf, Split
from unisono.spec.errors import ModelError

Node = Mapping[str, Any]


def emit_scores(emit: Emitter, dump: Node, features: Features) -> str:
    """The nodes of the raw scores, float64 rows x outputs."""
    scale, biases = dump["scale_and_bias"]
    forest = Forest(len(biases))
    for tree in dump.get("oblivious_trees", ()):
        for target in range(forest.targets):
            forest.end_tree(_symmetric(forest, tree, target, features))
    for tree in dump.get("trees", ()):
        for target in range(forest.targets):
            forest.end_tree(_add(forest, tree, target, features))
    if not forest.roots:
        raise ModelError("model: no trees; allowed: one or more; fit it")
    scores = forest.emit(emit, features.emit_matrix())
    if scale != 1:
        scores = emit("Mul", scores, emit.constant(float(scale)))
    return emit("Add", scores, emit.constant(np.array(biases, np.float64)))


def _symmetric(forest: Forest, tree: Node, target: int, features: Features) -> Child:
    """The question of level i sets bit i of a leaf's number; the last is the root."""
    values = tree["leaf_values"][target :: forest.targets]
    level = [forest.add_leaf(Leaf(float(number), target)) for number in values]
    for split in tree["splits"] or ():
        level = [_branch(forest, split, features, no, yes) for no, yes in zip(level[::2], level[1::2], strict=True)]
    return level[0]


def _add(forest: Forest, root: Node, target: int, features: Features) -> Child:
    """Takes in a tree; without recursion, since a tree may be deep."""
    made: dict[int, Child] = {}
    waiting = [(root, False)]
    while waiting:
        node, has_children = waiting.pop()
        if "split" not in node:
            made[id(node)] = forest.add_leaf(Leaf(float(_number(node["value"], target)), target))
        elif has_children:
            children = (made[id(node["left"])], made[id(node["right"])])
            made[id(node)] = _branch(forest, node["split"], features, *children)
        else:
            waiting += [(node, True), (node["right"], False), (node["left"], False)]
    return made[id(root)]


def _number(value: float | Sequence[float], target: int) -> float:
    return value[target] if isinstance(value, Sequence) else value


def _branch(forest: Forest, split: Node, features: Features, no: Child, yes: Child) -> Child:
    """A question, where yes is what CatBoost calls right: above the border, or the one category."""
    kind = split["split_type"]
    if kind == "OneHotFeature":
        place, code = features.category_place(split["cat_feature_index"], split["value"])
        made = forest.add_split(Split(place, 0.0, yes_for_nan=False, members=(float(code),)))
        forest.set_children(made, yes, no)
        return made
    if kind == "FloatFeature":
        place, is_below = features.float_place(split["float_feature_index"])
    else:
        place, is_below = features.statistic_place(split["split_index"]), True
    made = forest.add_split(Split(place, float(np.float32(split["border"])), is_below))
    forest.set_children(made, no, yes)
    return made
