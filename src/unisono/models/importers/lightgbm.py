"""LightGBM: its trees and its own last step, in float64, in its own order of summation.

The raw scores have the bits of `predict(raw_score=True)`. After the sigmoid or softmax about one probability in a
thousand differs, by a unit or two in the last place: exp here is the same everywhere, LightGBM's is the machine's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.models import exponential
from unisono.models.canonical import canonical
from unisono.models.emit import Emitter
from unisono.models.importers import lightgbm_trees
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
from unisono.models.importers.categories import Columns, columns_of, emit_matrix, matrix_of
from unisono.models.names import PREDICTION, PROBABILITIES, PROBABILITY
from unisono.spec.errors import ModelError
from unisono.spec.types import DType
from unisono.spec.wording import listing

_SAFE_EXPONENT = 700.0  # exp of at most this is finite


class LightGBM:
    """The importer of LightGBM models: Booster, LGBMClassifier, LGBMRegressor, LGBMRanker."""

    def accepts(self, model: object) -> bool:
        """Whether this is one of them."""
        return comes_from(model, "lightgbm")

    def import_model(
        self, model: object, *, inputs: Mapping[str, DType], columns: Sequence[str] | None = None
    ) -> ImportedModel:
        """The model as a graph. Raises ModelError for linear trees, unknown objectives, columns that are not there."""
        fitted = read(model, inputs, columns)
        emit = Emitter()
        task = emit_model(emit, fitted, emit_matrix(emit, fitted.columns))
        return ImportedModel(
            task=task,
            classes=() if task == "regression" else tuple(fitted.classes.tolist()),
            blocks=fitted.columns.blocks,
            graph=canonical(emit.model(fitted.columns.inputs, outputs_of(task, fitted.classes)), {}),
            library=f"lightgbm {_version()}",
            finite=True,
            answer=lambda frame: fitted.answer(matrix_of(frame, fitted.columns)),
        )


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is known of a fitted model.

    booster: LightGBM's own object.
    dump:    its `dump_model()`.
    columns: in training order.
    classes: labels; empty if it gives numbers.
    """

    booster: Any
    dump: Mapping[str, Any]
    columns: Columns
    classes: Tensor

    def answer(self, matrix: NDArray[np.float64]) -> Answers:
        """What LightGBM says of rows."""
        answer = np.asarray(self.booster.predict(matrix, num_threads=1))
        if not len(self.classes):
            return {PREDICTION: answer}
        if answer.ndim == 2:
            return labelled("multiclass", answer, self.classes)
        return labelled("binary", np.stack([1.0 - answer, answer], axis=1), self.classes)


def read(model: Any, inputs: Mapping[str, DType], columns: Sequence[str] | None) -> Fitted:
    """What is known of a LightGBM model. Raises ModelError."""
    booster = getattr(model, "booster_", model)
    if not hasattr(booster, "dump_model"):
        raise not_fitted(model)
    dump = booster.dump_model()
    names = match_columns(dump["feature_names"], inputs, columns)
    return Fitted(booster, dump, columns_of(names, inputs, _categories(dump, names)), _classes(model, dump))


def _categories(dump: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    """The categories of the columns that were pandas categories."""
    lists = dump.get("pandas_categorical") or []
    if not lists:
        return {}
    parsed = [bool(dump["feature_infos"].get(name, {}).get("values")) for name in dump["feature_names"]]
    categorical = [name for name, is_category in zip(names, parsed, strict=True) if is_category]
    if len(categorical) != len(lists):
        raise ModelError(
            f"model: {len(lists)} pandas categories for {len(categorical)} categorical columns; allowed: as many; "
            "drop columns of one value only, or derive codes with unisono.category"
        )
    return dict(zip(categorical, lists, strict=True))


def _classes(model: object, dump: Mapping[str, Any]) -> Tensor:
    known = getattr(model, "classes_", None)
    objective = str(dump.get("objective", "")).split(" ")[0]
    if known is not None and len(known) > 1:
        return class_array(list(known))
    if objective == "binary":
        return np.arange(2)
    return np.arange(dump["num_class"]) if objective in ("multiclass", "multiclassova") else np.empty(0)


def emit_model(emit: Emitter, fitted: Fitted, matrix: str) -> Task:
    """The model's nodes, from a matrix of its columns to its outputs; says which task it is."""
    raw, bound = lightgbm_trees.emit_scores(emit, fitted.dump, fitted.columns.dtypes, matrix)
    name, _, words = str(fitted.dump.get("objective", "")).partition(" ")
    parameters = dict(word.split(":", 1) for word in words.split() if ":" in word)
    if name in _CLASSIFIERS:
        return _CLASSIFIERS[name](emit, raw, fitted, _Link(float(parameters.get("sigmoid", 1.0)), bound))
    column = emit("Squeeze", raw, emit.constant(np.array([1])))
    if name == "regression" and "sqrt" in words.split():
        column = emit("Mul", emit("Mul", emit("Sign", column), column), column)
    elif name in _NUMBER_LINKS:
        column = _NUMBER_LINKS[name](emit, column, _Link(1.0, bound))
    else:
        raise ModelError(
            f'model: objective "{name}"; allowed: {listing([*_CLASSIFIERS, *_NUMBER_LINKS])}; fit it with one of them'
        )
    emit.rename(column, PREDICTION)
    return "regression"


@dataclass(frozen=True, slots=True)
class _Link:
    """sigmoid: LightGBM's parameter; bound: no raw score is farther from 0."""

    sigmoid: float
    bound: float

    @property
    def is_bounded(self) -> bool:
        return self.bound * self.sigmoid < _SAFE_EXPONENT

    def probability(self, emit: Emitter, raw: str) -> str:
        """1 / (1 + exp(-sigmoid * raw))"""
        scaled = raw if self.sigmoid == 1.0 else emit("Mul", raw, emit.constant(self.sigmoid))
        return exponential.sigmoid(emit, scaled, bounded=self.is_bounded)

    def exponential(self, emit: Emitter, raw: str) -> str:
        return exponential.exp(emit, raw, bounded=self.is_bounded)


def _binary(emit: Emitter, raw: str, fitted: Fitted, link: _Link) -> Task:
    probability = link.probability(emit, emit("Squeeze", raw, emit.constant(np.array([1]))))
    emit.rename(probability, PROBABILITY)
    # p > 1 - p, as LightGBM asks, is p > 0.5: 1 - p is exact near there.
    emit_either_label(emit, emit("Greater", probability, emit.constant(0.5)), fitted.classes)
    return "binary"


def _softmax(emit: Emitter, raw: str, fitted: Fitted, link: _Link) -> Task:
    return _multiclass(emit, exponential.softmax(emit, raw, bounded=2 * link.bound < _SAFE_EXPONENT), fitted)


def _one_against_all(emit: Emitter, raw: str, fitted: Fitted, link: _Link) -> Task:
    return _multiclass(emit, link.probability(emit, raw), fitted)


def _multiclass(emit: Emitter, probabilities: str, fitted: Fitted) -> Task:
    emit.rename(probabilities, PROBABILITIES)
    emit_labels(emit, emit("ArgMax", probabilities, axis=1, keepdims=0), fitted.classes)
    return "multiclass"


def _identity(emit: Emitter, raw: str, link: _Link) -> str:
    return raw


_CLASSIFIERS: Mapping[str, Callable[[Emitter, str, Fitted, _Link], Task]] = {
    "binary": _binary,
    "multiclass": _softmax,
    "multiclassova": _one_against_all,
}
_NUMBER_LINKS: Mapping[str, Callable[[Emitter, str, _Link], str]] = {
    **dict.fromkeys(("regression", "regression_l1", "huber", "fair", "quantile", "mape"), _identity),
    **dict.fromkeys(("lambdarank", "rank_xendcg"), _identity),
    **dict.fromkeys(("poisson", "gamma", "tweedie"), lambda emit, raw, link: link.exponential(emit, raw)),
    "cross_entropy": lambda emit, raw, link: link.probability(emit, raw),
}
"""Objective -> what LightGBM does to a raw score last."""


def _version() -> str:
    import lightgbm

    return str(lightgbm.__version__)
