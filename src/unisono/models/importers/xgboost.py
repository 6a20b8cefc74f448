"""XGBoost: its trees, sums and last step, in float32 as its own.

The raw scores have the bits of `predict(output_margin=True)`. After a sigmoid, softmax or exponential nearly all have,
the others differ by a float32 unit in the last place: exp here is the same everywhere, XGBoost's is the machine's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from unisono.models import exponential
from unisono.models.canonical import canonical
from unisono.models.emit import Emitter
from unisono.models.importers import categories, xgboost_trees
from unisono.models.importers.base import (
    Answers,
    ImportedModel,
    Task,
    Tensor,
    class_array,
    comes_from,
    emit_either_label,
    emit_labels,
    labelled,
    match_columns,
    not_fitted,
    outputs_of,
)
from unisono.models.importers.categories import Columns
from unisono.models.names import PREDICTION, PROBABILITIES, PROBABILITY
from unisono.spec.errors import ModelError
from unisono.spec.types import DType
from unisono.spec.wording import listing

_TINY = np.float32(1e-16)  # XGBoost adds it to the denominator of a sigmoid
_LEAST = np.float32(-88.7)  # and takes no score to be below this


class XGBoost:
    """The importer of XGBoost models: Booster, XGBClassifier, XGBRegressor, XGBRanker and their random forests."""

    def accepts(self, model: object) -> bool:
        """Whether this is one of them."""
        return comes_from(model, "xgboost")

    def import_model(
        self, model: object, *, inputs: Mapping[str, DType], columns: Sequence[str] | None = None
    ) -> ImportedModel:
        """The model as a graph. Raises ModelError for what has no graph, and for columns that are not there."""
        fitted = read(model, inputs, columns)
        emit = Emitter()
        task = emit_model(emit, fitted, categories.emit_matrix(emit, fitted.columns))
        numbers = len(fitted.trees.margins)
        graph = emit.model(fitted.columns.inputs, outputs_of(task, fitted.classes, numbers=numbers))
        return ImportedModel(
            task=task,
            classes=() if task == "regression" else tuple(fitted.classes.tolist()),
            blocks=fitted.columns.blocks,
            graph=canonical(graph, {}),
            library=f"xgboost {_version()}",
            finite=True,
            answer=lambda frame: fitted.answer(categories.matrix_of(frame, fitted.columns)),
        )


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is known of a fitted model.

    booster:   XGBoost's own object; it gives probabilities of all classes, also where the model gives labels.
    objective: its name.
    trees:     those that answer.
    rounds:    first and last of them, as `predict` takes them.
    columns:   in training order.
    missing:   the number that means "no value", besides NaN.
    classes:   labels; empty if it gives numbers.
    """

    booster: Any
    objective: str
    trees: xgboost_trees.Trees
    rounds: tuple[int, int]
    columns: Columns
    missing: float
    classes: Tensor

    def answer(self, matrix: NDArray[np.float64]) -> Answers:
        """What XGBoost says of rows."""
        import xgboost

        rows = xgboost.DMatrix(
            matrix,
            missing=self.missing,
            feature_names=self.booster.feature_names,
            feature_types=self.booster.feature_types,
            nthread=1,
            enable_categorical=True,
        )
        answer = np.asarray(self.booster.predict(rows, iteration_range=self.rounds), np.float64)
        if not len(self.classes):
            return {PREDICTION: answer}
        if answer.ndim == 2:
            return labelled("multiclass", answer, self.classes)
        return labelled("binary", np.stack([1.0 - answer, answer], axis=1), self.classes)


def read(model: Any, inputs: Mapping[str, DType], columns: Sequence[str] | None) -> Fitted:
    """What is known of an XGBoost model. Raises ModelError."""
    booster = _booster(model)
    learner = msgspec.json.decode(bytes(booster.save_raw("json")))["learner"]
    objective = learner["objective"]["name"]
    if objective == "multi:softmax":  # gives labels only; the same scores as probabilities are those of softprob
        booster.set_param({"objective": "multi:softprob"})
    rounds = model._get_iteration_range(None) if hasattr(model, "_get_iteration_range") else (0, 0)
    names = booster.feature_names or [f"f{place}" for place in range(booster.num_features())]
    forest = _forest(learner["gradient_booster"])
    chosen = match_columns(names, inputs, columns)
    return Fitted(
        booster=booster,
        objective=objective,
        trees=_trees(learner, forest, rounds),
        rounds=rounds,
        columns=categories.columns_of(chosen, inputs, _categories(chosen, forest)),
        missing=float(getattr(model, "missing", np.nan)),
        classes=_classes(model, objective, learner),
    )


def _booster(model: Any) -> Any:
    """A copy that is ours to change, without the data that the model may hold."""
    import xgboost

    try:
        booster = model.get_booster() if hasattr(model, "get_booster") else model
    except Exception as error:  # scikit-learn's NotFittedError
        raise not_fitted(model) from error
    copy = xgboost.Booster({"nthread": 1})
    copy.load_model(booster.save_raw("ubj"))
    return copy


def _forest(gradient_booster: Mapping[str, Any]) -> Mapping[str, Any]:
    """The trees in the model's JSON, with the weight of each. Raises ModelError for a model without."""
    kind = gradient_booster["name"]
    if kind not in ("gbtree", "dart"):
        raise ModelError(
            f'model: booster "{kind}"; allowed: gbtree, dart; fit it with one of them, or scikit-learn\'s linear models'
        )
    inner = gradient_booster["gbtree"] if kind == "dart" else gradient_booster
    forest: Mapping[str, Any] = inner["model"]
    if not forest["trees"]:
        raise ModelError("model: no trees; allowed: one or more; fit it for a round or more")
    weights = gradient_booster.get("weight_drop", [1.0] * len(forest["trees"]))
    return {**forest, "weights": weights}


def _trees(learner: Mapping[str, Any], forest: Mapping[str, Any], rounds: tuple[int, int]) -> xgboost_trees.Trees:
    first, last = (forest["iteration_indptr"][place] for place in rounds)
    used = slice(first, last or None)
    return xgboost_trees.Trees(
        forest["trees"][used], forest["tree_info"][used], forest["weights"][used], _margins(learner)
    )


def _margins(learner: Mapping[str, Any]) -> NDArray[np.float32]:
    """What each output begins with: the model's base score before its last step."""
    known = learner["learner_model_param"]
    scores = np.atleast_1d(np.asarray(msgspec.json.decode(known["base_score"]), np.float32))
    outputs = max(int(known["num_class"]), int(known["num_target"]), 1)
    link = _LINKS.get(learner["objective"]["name"], _identity_margin)
    return np.broadcast_to(link(scores), outputs).astype(np.float32)


def _categories(names: Sequence[str], forest: Mapping[str, Any]) -> Mapping[str, Sequence[Any]]:
    """The categories of the columns that were pandas or Polars categories, in the order of their codes."""
    encoded = forest.get("cats", {}).get("enc", [])
    return {name: _decoded(one) for name, one in zip(names, encoded, strict=False) if one.get("values")}


def _decoded(encoded: Mapping[str, Any]) -> Sequence[Any]:
    if "offsets" not in encoded:
        return list(encoded["values"])
    text = bytes(value % 256 for value in encoded["values"])
    edges = encoded["offsets"]
    return [text[start:end].decode() for start, end in pairwise(edges)]


def _classes(model: object, objective: str, learner: Mapping[str, Any]) -> Tensor:
    if objective not in _CLASSIFIERS:
        if hasattr(model, "classes_"):
            raise ModelError(
                f'model: a classifier with objective "{objective}"; allowed: {listing(_CLASSIFIERS)}; '
                "fit it with one of them"
            )
        return np.empty(0)
    if int(learner["learner_model_param"]["num_target"]) > 1:
        raise ModelError("model: a classifier of several labels; allowed: one; fit one model a label")
    known = getattr(model, "classes_", None)
    if known is not None:
        return class_array(list(known))
    return np.arange(max(int(learner["learner_model_param"]["num_class"]), 2))


def emit_model(emit: Emitter, fitted: Fitted, matrix: str) -> Task:
    """The model's nodes, from a matrix of its columns to its outputs; says which task it is."""
    if not np.isnan(fitted.missing):
        seen = emit("Cast", matrix, to=TensorProto.FLOAT)
        is_missing = emit("Equal", seen, emit.constant(np.float32(fitted.missing)))
        matrix = emit("Where", is_missing, emit.constant(np.nan), matrix)
    scores = xgboost_trees.emit_scores(emit, fitted.trees, matrix)
    if fitted.objective in _CLASSIFIERS:
        return _CLASSIFIERS[fitted.objective](emit, scores, fitted)
    if fitted.objective not in _NUMBER_LINKS:
        raise ModelError(
            f'model: objective "{fitted.objective}"; allowed: {listing([*_CLASSIFIERS, *_NUMBER_LINKS])}; '
            "fit it with one of them"
        )
    numbers = _double(emit, _NUMBER_LINKS[fitted.objective](emit, scores))
    if len(fitted.trees.margins) == 1:
        numbers = emit("Squeeze", numbers, emit.constant(np.array([1])))
    emit.rename(numbers, PREDICTION)
    return "regression"


def _binary(emit: Emitter, scores: str, fitted: Fitted) -> Task:
    probability = emit("Squeeze", _sigmoid(emit, scores), emit.constant(np.array([1])))
    emit.rename(_double(emit, probability), PROBABILITY)
    emit_either_label(emit, emit("Greater", probability, emit.constant(np.float32(0.5))), fitted.classes)
    return "binary"


def _softmax(emit: Emitter, scores: str, fitted: Fitted) -> Task:
    """exp of what each score is below the largest, by their sum, which XGBoost makes in float64 and rounds."""
    largest = emit("ReduceMax", scores, emit.constant(np.array([1])), keepdims=1)
    weights = _exponential(emit, emit("Sub", scores, largest))
    total = emit("Cast", exponential.sum_in_order(emit, _double(emit, weights), axis=1), to=TensorProto.FLOAT)
    probabilities = emit("Div", weights, total)
    emit.rename(_double(emit, probabilities), PROBABILITIES)
    emit_labels(emit, emit("ArgMax", probabilities, axis=1, keepdims=0), fitted.classes)
    return "multiclass"


def _sigmoid(emit: Emitter, scores: str) -> str:
    """1 / (exp(-x) + 1 + 1e-16) in float32, of x no lower than -88.7."""
    negated = emit("Neg", emit("Where", emit("Less", scores, emit.constant(_LEAST)), emit.constant(_LEAST), scores))
    denominator = emit(
        "Add", emit("Add", _exponential(emit, negated), emit.constant(np.float32(1))), emit.constant(_TINY)
    )
    return emit("Div", emit.constant(np.float32(1)), denominator)


def _exponential(emit: Emitter, scores: str) -> str:
    """exp of float32 numbers: of float64, then rounded."""
    return emit("Cast", exponential.exp(emit, _double(emit, scores)), to=TensorProto.FLOAT)


def _identity(emit: Emitter, scores: str) -> str:
    return scores


def _double(emit: Emitter, numbers: str) -> str:
    return emit("Cast", numbers, to=TensorProto.DOUBLE)


def _identity_margin(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    return scores


def _logit(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    margins: NDArray[np.float32] = -np.log(np.float32(1) / scores - np.float32(1))
    return margins


_CLASSIFIERS: Mapping[str, Callable[[Emitter, str, Fitted], Task]] = {
    "binary:logistic": _binary,
    "multi:softprob": _softmax,
    "multi:softmax": _softmax,
}
_NUMBER_LINKS: Mapping[str, Callable[[Emitter, str], str]] = {
    **dict.fromkeys(
        ("reg:squarederror", "reg:squaredlogerror", "reg:absoluteerror", "reg:pseudohubererror"), _identity
    ),
    **dict.fromkeys(("reg:quantileerror", "reg:expectileerror", "binary:logitraw"), _identity),
    **dict.fromkeys(("rank:ndcg", "rank:pairwise", "rank:map"), _identity),
    **dict.fromkeys(("count:poisson", "reg:gamma", "reg:tweedie", "survival:aft", "survival:cox"), _exponential),
    "reg:logistic": _sigmoid,
}
"""Objective -> what XGBoost does to a raw score last."""
_LINKS: Mapping[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    **dict.fromkeys(("binary:logistic", "reg:logistic"), _logit),
    **dict.fromkeys((name for name, link in _NUMBER_LINKS.items() if link is _exponential), np.log),
}
"""Objective -> from a base score to a raw score; for any other they are the same."""


def _version() -> str:
    import xgboost

    return str(xgboost.__version__)
