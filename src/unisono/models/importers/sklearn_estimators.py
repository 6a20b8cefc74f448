"""scikit-learn's estimators as operators, with their own last step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from onnx import TensorProto

from unisono.models import exponential
from unisono.models.emit import Emitter
from unisono.models.importers import sklearn_trees
from unisono.models.importers.base import Task, class_array, emit_either_label, emit_labels
from unisono.models.importers.sklearn_fallback import emit_by_skl2onnx
from unisono.models.importers.sklearn_steps import product
from unisono.models.importers.sklearn_table import Table
from unisono.models.names import PREDICTION, PROBABILITIES, PROBABILITY
from unisono.spec.errors import ModelError
from unisono.spec.types import Float64

Scores = Callable[[Emitter, Any, str], str]
"""Emits raw scores, float64 rows x outputs, from a matrix."""


def emit_estimator(emit: Emitter, model: Any, table: Table) -> Task:
    """An estimator's nodes, up to the outputs; says which task it is. Raises ModelError for one that has no graph."""
    kind = type(model).__name__
    matrix = table.numbers(emit, reader=kind)
    if _is_lightgbm(model):
        from unisono.models.importers import lightgbm

        names = {f"{place}": Float64 for place in range(len(table))}
        return lightgbm.emit_model(emit, lightgbm.read(model, names, list(names)), matrix)
    if _has_several_outputs(model):
        raise ModelError(f"model: {kind} with several outputs; allowed: one; fit one model an output")
    if kind in _REGRESSORS:
        scores, link = _REGRESSORS[kind]
        return _number(emit, link(emit, scores(emit, model, matrix)))
    if kind in sklearn_trees.PROBABILITIES:
        return _by_probabilities(emit, model, sklearn_trees.PROBABILITIES[kind](emit, model, matrix))
    if kind in _CLASSIFIERS and _has_logistic_loss(model):
        return _by_scores(emit, model, _CLASSIFIERS[kind](emit, model, matrix))
    return _by_skl2onnx(emit, model, matrix, len(table))


def is_of_trees(model: Any) -> bool:
    """Whether an estimator adds up leaves, so that it never says NaN."""
    return _is_lightgbm(model) or type(model).__name__ in sklearn_trees.ALL


def _is_lightgbm(model: Any) -> bool:
    return any(kind.__module__.startswith("lightgbm.") for kind in type(model).__mro__)


def _has_several_outputs(model: Any) -> bool:
    if hasattr(model, "classes_"):
        return isinstance(model.classes_, list)
    return getattr(model, "n_outputs_", 1) != 1 or (np.ndim(getattr(model, "coef_", 0)) == 2 and len(model.coef_) > 1)


def _has_logistic_loss(model: Any) -> bool:
    if getattr(model, "init", None) not in (None, "zero"):
        raise ModelError(f"model: {type(model).__name__} with init=; allowed: without; leave it out")
    return getattr(model, "loss", "log_loss") == "log_loss"


def _number(emit: Emitter, column: str) -> Task:
    emit.rename(emit("Reshape", column, emit.constant(np.array([-1]))), PREDICTION)
    return "regression"


def _by_scores(emit: Emitter, model: Any, scores: str) -> Task:
    """A sigmoid of one score, or a softmax of many; one model for each of many classes: their sigmoids, normalised."""
    if len(model.classes_) > 2 and type(model).__name__ == "SGDClassifier":
        weights = exponential.sigmoid(emit, scores)
        total = exponential.sum_in_order(emit, weights, axis=1)
        # Far out all sigmoids are 0, or all are 1, and the scores still say which is largest.
        uniform = emit.constant(1.0 / len(model.classes_))
        nothing = emit("Equal", total, emit.constant(0.0))
        probabilities = emit("Where", nothing, uniform, emit("Div", weights, total))
        label = emit("Gather", emit.constant(class_array(list(model.classes_))), emit("ArgMax", scores, axis=1))
        return _by_probabilities(emit, model, probabilities, label=label)
    if len(model.classes_) > 2:
        return _by_probabilities(emit, model, exponential.softmax(emit, scores))
    score = emit("Reshape", scores, emit.constant(np.array([-1])))
    emit.rename(exponential.sigmoid(emit, score), PROBABILITY)
    # Some say the second class from 0 on, others above it.
    asks = "GreaterOrEqual" if "Boosting" in type(model).__name__ else "Greater"
    emit_either_label(emit, emit(asks, score, emit.constant(0.0)), class_array(list(model.classes_)))
    return "binary"


def _by_probabilities(emit: Emitter, model: Any, probabilities: str, *, label: str | None = None) -> Task:
    classes = class_array(list(model.classes_))
    if label is None:
        emit_labels(emit, emit("ArgMax", probabilities, axis=1, keepdims=0), classes)
    else:
        emit.rename(emit("Reshape", label, emit.constant(np.array([-1]))), PREDICTION)
    if len(classes) > 2:
        emit.rename(probabilities, PROBABILITIES)
        return "multiclass"
    emit.rename(emit("Gather", probabilities, emit.constant(np.int64(1)), axis=1), PROBABILITY)
    return "binary"


def _by_skl2onnx(emit: Emitter, model: Any, matrix: str, width: int) -> Task:
    if hasattr(model, "predict_proba"):
        label, probabilities = emit_by_skl2onnx(emit, model, matrix, width)
        # Some, like SVC, do not say the most probable class.
        own = label if class_array(list(model.classes_)).dtype in (object, np.int64) else None
        return _by_probabilities(emit, model, emit("Cast", probabilities, to=TensorProto.DOUBLE), label=own)
    if hasattr(model, "classes_") or not hasattr(model, "predict"):
        raise ModelError(
            f"model: {type(model).__name__} gives no probabilities; allowed: regressors, and classifiers with "
            "predict_proba; wrap it, e.g. in CalibratedClassifierCV"
        )
    (column,) = emit_by_skl2onnx(emit, model, matrix, width)
    return _number(emit, emit("Cast", column, to=TensorProto.DOUBLE))


def _linear(emit: Emitter, model: Any, matrix: str) -> str:
    coefficients = np.atleast_2d(np.asarray(model.coef_, np.float64))
    scores = product(emit, matrix, coefficients)
    return emit("Add", scores, emit.constant(np.atleast_1d(np.asarray(model.intercept_, np.float64))))


def _identity(emit: Emitter, scores: str) -> str:
    return scores


def _exponential(emit: Emitter, scores: str) -> str:
    return exponential.exp(emit, scores)


_LINEAR: tuple[str, ...] = (
    "BayesianRidge",
    "ElasticNet",
    "ElasticNetCV",
    "HuberRegressor",
    "Lasso",
    "LassoCV",
    "LinearRegression",
)
_LINEAR += ("LinearSVR", "QuantileRegressor", "Ridge", "RidgeCV", "SGDRegressor")

_REGRESSORS: Mapping[str, tuple[Scores, Callable[[Emitter, str], str]]] = {
    **dict.fromkeys(_LINEAR, (_linear, _identity)),
    **dict.fromkeys(("GammaRegressor", "PoissonRegressor"), (_linear, _exponential)),
    **{name: (scores, _identity) for name, scores in sklearn_trees.REGRESSORS.items()},
}
_CLASSIFIERS: Mapping[str, Scores] = {
    "LogisticRegression": _linear,
    "LogisticRegressionCV": _linear,
    "SGDClassifier": _linear,
    **sklearn_trees.SCORES,
}
"""Class -> raw scores; any other is asked of skl2onnx."""
