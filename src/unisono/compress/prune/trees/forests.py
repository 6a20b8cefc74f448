"""scikit-learn's trees as trees of LightGBM.

They ask float32 numbers and LightGBM's float64: what lies between the two may go the other way, which the fitting that
follows is free to do anyway. Forests do not add up logits but take the mean of shares: their leaves begin as the logits
of smoothed shares, and as many trees as there are share in them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.compress.prune.trees.text import Ensemble, leaf_tree
from unisono.compress.prune.trees.tree import Floats, Ints, Tree
from unisono.spec.errors import ModelError

_MISSING_IS_NAN, _GOES_LEFT = 8, 2  # bits of a decision type
_SMOOTHED = 0.02  # of a share, so that its logit is finite


def ensemble_of(model: Any) -> Ensemble:
    """The trees of a fitted model. Raises ModelError for one with more than one output, or its own starting model."""
    trees = READERS[type(model).__name__](model)
    return Ensemble(_head(model, len(trees)), "\nparameters:\nend of parameters\n", tuple(map(tuple, trees)))


def _head(model: Any, outputs: int) -> str:
    is_classifier = hasattr(model, "classes_")
    objective = "regression"
    if is_classifier:
        objective = "binary sigmoid:1" if outputs == 1 else f"multiclass num_class:{outputs}"
    width = model.n_features_in_
    lines = {
        "version": "v4",
        "num_class": outputs,
        "num_tree_per_iteration": outputs,
        "label_index": 0,
        "max_feature_idx": width - 1,
        "objective": objective,
        "feature_names": " ".join(f"Column_{place}" for place in range(width)),
        "feature_infos": " ".join(["[-inf:inf]"] * width),
    }
    return "\n".join(["tree", *(f"{name}={value}" for name, value in lines.items())])


@dataclass(frozen=True, slots=True)
class _Nodes:
    """A tree as scikit-learn has it: an entry a node, children after their parents."""

    asking: NDArray[np.bool_]
    left: Ints
    right: Ints
    feature: Ints
    threshold: Floats
    nan_left: NDArray[np.bool_]

    def tree(self, values: Floats) -> Tree:
        """The same as a tree of LightGBM. values: what each node would add as a leaf."""
        asking = self.asking
        places = np.where(asking, np.cumsum(asking) - 1, -1 * np.cumsum(~asking))  # number of a split, ~ that of a leaf
        questions = {
            "split_feature": [str(one) for one in self.feature[asking]],
            "threshold": [repr(float(one)) for one in self.threshold[asking]],
            "decision_type": [str(_MISSING_IS_NAN + _GOES_LEFT * int(one)) for one in self.nan_left[asking]],
        }
        left, right = (places[side[asking]] for side in (self.left, self.right))
        return Tree(left, right, np.asarray(values[~asking], np.float64), questions, {"num_cat": "0"})


def _tree(tree: Any, values: Floats) -> Tree:
    goes_left = getattr(tree, "missing_go_to_left", np.zeros(tree.node_count, np.bool_))
    asking = tree.children_left >= 0
    nodes = _Nodes(asking, tree.children_left, tree.children_right, tree.feature, tree.threshold, goes_left)
    return nodes.tree(values)


def _histogram_tree(nodes: Any) -> Tree:
    asking = nodes["is_leaf"] == 0
    left, right, feature = (nodes[name].astype(np.int64) for name in ("left", "right", "feature_idx"))
    return _Nodes(asking, left, right, feature, nodes["num_threshold"], nodes["missing_go_to_left"]).tree(
        nodes["value"]
    )


def _forest(model: Any) -> list[list[Tree]]:
    if model.n_outputs_ > 1:
        raise ModelError(f"prune_trees: {model.n_outputs_} outputs; allowed: one; fit a model for each")
    trees = [one.tree_ for one in getattr(model, "estimators_", [model])]
    if not hasattr(model, "classes_"):
        return [[_tree(tree, tree.value[:, 0, 0] / len(trees)) for tree in trees]]
    logits = [_logits(tree.value[:, 0, :]) / len(trees) for tree in trees]
    outputs = range(logits[0].shape[1])
    return [[_tree(tree, one[:, output]) for tree, one in zip(trees, logits, strict=True)] for output in outputs]


def _logits(shares: Floats) -> Floats:
    """Of the nodes of a tree: nodes x outputs; two classes have one output."""
    logs = np.log((1 - _SMOOTHED) * shares + _SMOOTHED / shares.shape[1])
    return np.asarray(logs[:, 1:] - logs[:, :1] if shares.shape[1] == 2 else logs)


def _boosted(model: Any) -> list[list[Tree]]:
    if getattr(model, "init", None) not in (None, "zero"):
        raise ModelError(f"prune_trees: {type(model).__name__} with init=; allowed: without; leave it out")
    start = model._raw_predict_init(np.zeros((1, model.n_features_in_)))[0]
    rounds = model.estimators_
    return [
        [leaf_tree(float(point)), *(_tree(one.tree_, model.learning_rate * one.tree_.value[:, 0, 0]) for one in column)]
        for point, column in zip(start, rounds.T, strict=True)
    ]


def _histogram_boosted(model: Any) -> list[list[Tree]]:
    if np.any(getattr(model, "is_categorical_", None) or False):
        raise ModelError(
            f"prune_trees: {type(model).__name__} with categorical columns; allowed: numbers; encode them first"
        )
    start = np.atleast_1d(model._baseline_prediction.ravel())
    return [
        [leaf_tree(float(point)), *(_histogram_tree(round_[output].nodes) for round_ in model._predictors)]
        for output, point in enumerate(start)
    ]


_FORESTS = ("DecisionTree", "ExtraTree", "ExtraTrees", "RandomForest")
READERS: Mapping[str, Callable[[Any], list[list[Tree]]]] = {
    **{f"{name}{kind}": _forest for name in _FORESTS for kind in ("Classifier", "Regressor")},
    "GradientBoostingClassifier": _boosted,
    "GradientBoostingRegressor": _boosted,
    "HistGradientBoostingClassifier": _histogram_boosted,
    "HistGradientBoostingRegressor": _histogram_boosted,
}
"""Class -> what gives its trees, by output."""
