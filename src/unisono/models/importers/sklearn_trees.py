"""scikit-learn's trees: those of one kind ask float32 numbers, those of histogram gradient boosting float64."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from unisono.models.emit import Emitter
from unisono.models.exponential import sum_in_order
from unisono.models.trees import Child, Forest, Leaf, Split
from unisono.spec.errors import ModelError

Scores = Callable[[Emitter, Any, str], str]


def _float32(emit: Emitter, matrix: str) -> str:
    """The numbers as these trees see them: rounded to float32, and compared as float64."""
    return emit("Cast", emit("Cast", matrix, to=TensorProto.FLOAT), to=TensorProto.DOUBLE)


def _add(forest: Forest, tree: Any, weights: NDArray[Any], target: int = 0) -> None:
    """Takes in a `sklearn.tree` tree; `weights` says what a leaf adds, by its node number."""
    goes_left = getattr(tree, "missing_go_to_left", np.zeros(tree.node_count))
    made: list[Child] = []
    for node in range(tree.node_count):
        if tree.children_left[node] < 0:
            made.append(forest.add_leaf(Leaf(float(weights[node]), target)))
        else:
            threshold = float(tree.threshold[node])
            made.append(forest.add_split(Split(int(tree.feature[node]), threshold, bool(goes_left[node]))))
    for node, child in enumerate(made):
        if not child[0]:
            forest.set_children(child, made[tree.children_left[node]], made[tree.children_right[node]])
    forest.end_tree(made[0])


def _forest_probabilities(emit: Emitter, model: Any, matrix: str) -> str:
    """The mean of the trees' probabilities, tree by tree: a tree says which leaf, and a table what the leaf says."""
    trees = [one.tree_ for one in getattr(model, "estimators_", [model])]
    forest = Forest(len(trees))
    tables: list[NDArray[np.float64]] = []
    first = 0
    for target, tree in enumerate(trees):
        _add(forest, tree, first + np.arange(tree.node_count), target)
        tables.append(np.asarray(tree.value[:, 0, :], np.float64))
        first += tree.node_count
    leaves = emit("Cast", forest.emit(emit, _float32(emit, matrix)), to=TensorProto.INT64)
    said = emit("Gather", emit.constant(np.concatenate(tables)), leaves)  # rows x trees x classes
    total = emit("Squeeze", sum_in_order(emit, said, axis=1), emit.constant(np.array([1])))
    return _mean(emit, total, model)


def _mean(emit: Emitter, total: str, model: Any) -> str:
    return emit("Div", total, emit.constant(float(len(getattr(model, "estimators_", [model])))))


def _forest_mean(emit: Emitter, model: Any, matrix: str) -> str:
    forest = Forest(model.n_outputs_)
    for one in getattr(model, "estimators_", [model]):
        for target in range(forest.targets):
            _add(forest, one.tree_, one.tree_.value[:, target, 0], target)
    return _mean(emit, forest.emit(emit, _float32(emit, matrix)), model)


def _boosted(emit: Emitter, model: Any, matrix: str) -> str:
    """Starting points, then each round's trees."""
    targets = model.estimators_.shape[1]
    forest = Forest(targets)
    _start(forest, model._raw_predict_init(np.zeros((1, model.n_features_in_)))[0])
    for round_ in model.estimators_:
        for target, one in enumerate(round_):
            _add(forest, one.tree_, model.learning_rate * one.tree_.value[:, 0, 0], target)
    return forest.emit(emit, _float32(emit, matrix))


def _start(forest: Forest, points: Iterable[float]) -> None:
    """Trees of one leaf, so that the sums begin where the model's begin."""
    for target, point in enumerate(points):
        forest.end_tree(forest.add_leaf(Leaf(float(point), target)))


def _histogram_boosted(emit: Emitter, model: Any, matrix: str) -> str:
    if getattr(model, "is_categorical_", None) is not None and np.any(model.is_categorical_):
        raise ModelError(
            f"model: {type(model).__name__} with categorical columns; allowed: numbers; "
            "encode them first, e.g. with OrdinalEncoder and no categorical_features"
        )
    forest = Forest(model.n_trees_per_iteration_)
    _start(forest, np.atleast_1d(model._baseline_prediction.ravel()))
    for round_ in model._predictors:
        for target, predictor in enumerate(round_):
            _add_histogram_tree(forest, predictor.nodes, target)
    return forest.emit(emit, matrix)


def _add_histogram_tree(forest: Forest, nodes: Any, target: int) -> None:
    made = [
        forest.add_leaf(Leaf(float(node["value"]), target))
        if node["is_leaf"]
        else forest.add_split(
            Split(int(node["feature_idx"]), float(node["num_threshold"]), bool(node["missing_go_to_left"]))
        )
        for node in nodes
    ]
    for node, child in zip(nodes, made, strict=True):
        if not child[0]:
            forest.set_children(child, made[node["left"]], made[node["right"]])
    forest.end_tree(made[0])


_TREES = ("DecisionTree", "ExtraTree", "ExtraTrees", "RandomForest")

PROBABILITIES: Mapping[str, Scores] = {f"{name}Classifier": _forest_probabilities for name in _TREES}
REGRESSORS: Mapping[str, Scores] = {
    **{f"{name}Regressor": _forest_mean for name in _TREES},
    "GradientBoostingRegressor": _boosted,
    "HistGradientBoostingRegressor": _histogram_boosted,
}
SCORES: Mapping[str, Scores] = {
    "GradientBoostingClassifier": _boosted,
    "HistGradientBoostingClassifier": _histogram_boosted,
}
"""Class -> what emits its probabilities, its number, or its raw scores."""

ALL = (*PROBABILITIES, *REGRESSORS, *SCORES)
