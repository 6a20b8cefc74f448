"""scikit-learn's estimators as operators, with their own last step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from onnx import TensorProto

from unisono.models import exponential
from unisono.models.emit import Emitter
from unisono.models.importers import sklearn_trees
from unisono.models.importers.base import class_array, comes_from, emit_either_label, emit_labels
from unisono.models.importers.sklearn_fallback import emit_by_skl2onnx
from unisono.models.importers.sklearn_meaning import SCORE, SCORES, Meaning, meaning_of
from unisono.models.importers.sklearn_steps import product
from unisono.models.importers.sklearn_table import Table
from unisono.models.names import PREDICTION, PROBABILITIES, PROBABILITY
from unisono.spec.errors import ModelError
from unisono.spec.types import Float64

Scores = Callable[[Emitter, Any, str], str]
"""Emits raw scores, float64 rows x outputs, from a matrix."""


def emit_estimator(emit: Emitter, model: Any, table: Table) -> Meaning:
    """An estimator's nodes, up to the outputs; says what they are. Raises ModelError for one that has no graph."""
    kind = type(model).__name__
    matrix = table.numbers(emit, reader=kind)
    for library, adapter in _ADAPTERS.items():
        if comes_from(model, library):
            return adapter(emit, model, matrix, len(table))
    meaning = meaning_of(model)
    if kind in _REGRESSORS:
        scores, link = _REGRESSORS[kind]
        _number(emit, link(emit, scores(emit, model, matrix)), meaning.numbers)
    elif kind in sklearn_trees.PROBABILITIES:
        _by_probabilities(emit, model, sklearn_trees.PROBABILITIES[kind](emit, model, matrix))
    elif meaning.scores:
        _labels_by_scores(emit, meaning, _linear(emit, model, matrix))
    elif kind in _CLASSIFIERS and _has_logistic_loss(model):
        _by_scores(emit, model, _CLASSIFIERS[kind](emit, model, matrix))
    else:
        _by_skl2onnx(emit, model, matrix, len(table))
    return meaning


def _lightgbm(emit: Emitter, model: Any, matrix: str, width: int) -> Meaning:
    from unisono.models.importers import lightgbm

    names = {f"{place}": Float64 for place in range(width)}
    fitted = lightgbm.read(model, names, list(names))
    return Meaning(lightgbm.emit_model(emit, fitted, matrix), fitted.classes)


def _xgboost(emit: Emitter, model: Any, matrix: str, width: int) -> Meaning:
    from unisono.models.importers import xgboost

    names = {f"{place}": Float64 for place in range(width)}
    fitted = xgboost.read(model, names, list(names))
    return Meaning(xgboost.emit_model(emit, fitted, matrix), fitted.classes, numbers=len(fitted.trees.margins))


def _catboost(emit: Emitter, model: Any, matrix: str, width: int) -> Meaning:
    from unisono.models.importers import catboost

    names = {f"{place}": Float64 for place in range(width)}
    fitted = catboost.read(model, names, list(names))
    return Meaning(catboost.emit_model(emit, fitted, matrix, {}), fitted.classes, numbers=fitted.outputs)


_ADAPTERS = {"lightgbm": _lightgbm, "xgboost": _xgboost, "catboost": _catboost}
"""Library of a Pipeline's last step that is not scikit-learn's -> what emits it."""


def is_of_trees(model: Any) -> bool:
    """Whether an estimator adds up leaves, so that it never says NaN."""
    return any(comes_from(model, library) for library in _ADAPTERS) or type(model).__name__ in sklearn_trees.ALL


def _has_logistic_loss(model: Any) -> bool:
    if getattr(model, "init", None) not in (None, "zero"):
        raise ModelError(f"model: {type(model).__name__} with init=; allowed: without; leave it out")
    return getattr(model, "loss", "log_loss") == "log_loss"


def _number(emit: Emitter, column: str, numbers: int) -> None:
    emit.rename(emit("Reshape", column, emit.constant(np.array([-1, numbers] if numbers > 1 else [-1]))), PREDICTION)


def _labels_by_scores(emit: Emitter, meaning: Meaning, scores: str) -> None:
    """The label of the largest score, or the second if its score is above 0; and the scores."""
    if len(meaning.classes) > 2:
        emit_labels(emit, emit("ArgMax", scores, axis=1, keepdims=0), meaning.classes)
        emit.rename(scores, SCORES)
        return
    score = emit("Reshape", scores, emit.constant(np.array([-1])))
    emit_either_label(emit, emit("Greater", score, emit.constant(0.0)), meaning.classes)
    emit.rename(score, SCORE)


def _by_scores(emit: Emitter, model: Any, scores: str) -> None:
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


def _by_probabilities(emit: Emitter, model: Any, probabilities: str, *, label: str | None = None) -> None:
    classes = class_array(list(model.classes_))
    if label is None:
        emit_labels(emit, emit("ArgMax", probabilities, axis=1, keepdims=0), classes)
    else:
        emit.rename(emit("Reshape", label, emit.constant(np.array([-1]))), PREDICTION)
    if len(classes) > 2:
        emit.rename(probabilities, PROBABILITIES)
    else:
        emit.rename(emit("Gather", probabilities, emit.constant(np.int64(1)), axis=1), PROBABILITY)


def _by_skl2onnx(emit: Emitter, model: Any, matrix: str, width: int) -> None:
    outputs, meaning = emit_by_skl2onnx(emit, model, matrix, width), meaning_of(model)
    if meaning.task == "regression":
        _number(emit, emit("Cast", outputs[0], to=TensorProto.DOUBLE), meaning.numbers)
    elif meaning.task == "outputs":
        emit.rename(emit("Reshape", outputs[0], emit.constant(np.array([-1]))), PREDICTION)
    else:
        # Some, like SVC, do not say the most probable class.
        own = outputs[0] if meaning.classes.dtype in (object, np.int64) else None
        _by_probabilities(emit, model, emit("Cast", outputs[1], to=TensorProto.DOUBLE), label=own)


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
_LINEAR += ("ARDRegression", "Lars", "LarsCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "OrthogonalMatchingPursuit")
_LINEAR += ("OrthogonalMatchingPursuitCV", "PassiveAggressiveRegressor", "TheilSenRegressor")
_LINEAR += ("MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV")
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
