"""LightGBM's trees: its rules for missing values, zeros and categories as questions that ONNX has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unisono.models.emit import Emitter
from unisono.models.trees import Child, Forest, Leaf, Split
from unisono.spec.errors import ModelError
from unisono.spec.types import DType

_ZERO = float(np.float32(1e-35))  # LightGBM takes anything up to here for 0
_BELOW_ZERO = float(np.nextafter(-_ZERO, -np.inf))
_INFINITE = 1e300  # how a dump writes a threshold that is infinite: whatever is known goes left

Node = Mapping[str, Any]


def emit_scores(emit: Emitter, dump: Node, dtypes: Sequence[DType], matrix: str) -> tuple[str, float]:
    """The nodes of the raw scores, float64 rows x classes, and a bound that none of them exceeds.

    dump:   of `dump_model()`.
    dtypes: of the matrix's columns.

    Raises ModelError for linear trees, and for columns whose zeros are missing in one tree and not in another.
    """
    targets = int(dump["num_tree_per_iteration"])
    forest = Forest(targets)
    bound = np.zeros(targets)
    for number, tree in enumerate(dump["tree_info"]):
        first = len(forest.leaves)
        forest.end_tree(_add_tree(forest, tree["tree_structure"], number % targets))
        bound[number % targets] += max(abs(leaf.weight) for leaf in forest.leaves[first:])
    if not forest.roots:
        raise ModelError("model: no trees; allowed: one or more; fit it")
    zeros = _columns_with_missing_zeros(dump)
    scores = forest.emit(emit, _prepared(emit, matrix, zeros, _fractions(dump, dtypes), len(dtypes)))
    rounds = len(dump["tree_info"]) // targets
    if dump.get("average_output"):
        scores = emit("Div", scores, emit.constant(float(rounds)))
    return scores, float(bound.max())


def _add_tree(forest: Forest, root: Node, target: int) -> Child:
    """Takes in a tree; without recursion, since a tree may be deep."""
    made: dict[int, Child] = {}
    waiting = [(root, False)]
    while waiting:
        node, has_children = waiting.pop()
        if "split_feature" not in node:
            made[id(node)] = forest.add_leaf(_leaf(node, target))
        elif has_children:
            forest.set_children(made[id(node)], made[id(node["left_child"])], made[id(node["right_child"])])
        else:
            made[id(node)] = forest.add_split(_split(node))
            waiting += [(node, True), (node["right_child"], False), (node["left_child"], False)]
    return made[id(root)]


def _leaf(node: Node, target: int) -> Leaf:
    if "leaf_const" in node or "leaf_coeff" in node:
        raise ModelError("model: linear trees; allowed: constant leaves; fit it with linear_tree=False")
    return Leaf(float(node["leaf_value"]), target)


def _split(node: Node) -> Split:
    feature = int(node["split_feature"])
    if node["decision_type"] == "==":
        members = tuple(float(member) for member in str(node["threshold"]).split("||"))
        return Split(feature, 0.0, yes_for_nan=False, members=members)
    threshold = _as_asked(float(node["threshold"]))
    # Where a column had no missing value in training, NaN counts as 0.
    zero_goes = threshold >= 0.0
    return Split(feature, threshold, bool(node["default_left"]) if node["missing_type"] != "None" else zero_goes)


def _as_asked(threshold: float) -> float:
    """What asks of x as it is what LightGBM asks of x after it has taken tiny numbers for 0."""
    if 0.0 <= threshold < _ZERO:
        return _ZERO
    if threshold >= _INFINITE:
        return np.inf
    return _BELOW_ZERO if -_ZERO <= threshold < 0.0 else threshold


def _nodes(dump: Node) -> list[Node]:
    found = []
    waiting = [tree["tree_structure"] for tree in dump["tree_info"]]
    while waiting:
        node = waiting.pop()
        if "split_feature" in node:
            found.append(node)
            waiting += [node["left_child"], node["right_child"]]
    return found


def _columns_with_missing_zeros(dump: Node) -> list[int]:
    """The columns where 0 means missing (`zero_as_missing=True`)."""
    kinds: dict[int, set[bool]] = {}
    for node in _nodes(dump):
        if node["decision_type"] != "==":
            kinds.setdefault(int(node["split_feature"]), set()).add(node["missing_type"] == "Zero")
    mixed = [dump["feature_names"][feature] for feature, seen in kinds.items() if len(seen) > 1]
    if mixed:
        raise ModelError(
            f'model: "{mixed[0]}" has zeros that are missing in some trees only; allowed: in all or none; '
            "fit it in one go"
        )
    return sorted(feature for feature, (is_missing,) in kinds.items() if is_missing)


def _fractions(dump: Node, dtypes: Sequence[DType]) -> list[int]:
    """The categorical columns that may hold fractions, which LightGBM cuts off."""
    used = {int(node["split_feature"]) for node in _nodes(dump) if node["decision_type"] == "=="}
    return sorted(feature for feature in used if dtypes[feature].name in ("Float64", "Decimal"))


def _prepared(emit: Emitter, matrix: str, zeros: Sequence[int], fractions: Sequence[int], width: int) -> str:
    """The matrix with NaN for the zeros that are missing, and with categories cut to whole numbers."""
    if zeros:
        farthest = np.full(width, -1.0)
        farthest[list(zeros)] = _ZERO
        is_zero = emit("LessOrEqual", emit("Abs", matrix), emit.constant(farthest))
        matrix = emit("Where", is_zero, emit.constant(np.nan), matrix)
    if fractions:
        is_category = np.zeros(width, np.bool_)
        is_category[list(fractions)] = True
        cut = emit("Mul", emit("Sign", matrix), emit("Floor", emit("Abs", matrix)))
        matrix = emit("Where", emit.constant(is_category), cut, matrix)
    return matrix
