"""What a scikit-learn estimator says: numbers, labels with probabilities, labels with scores, or labels alone."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ValueInfoProto

from unisono.models.emit import value
from unisono.models.importers.base import Answers, Task, Tensor, class_array, labelled, outputs_of
from unisono.models.names import PREDICTION
from unisono.spec.errors import ModelError

SCORE, SCORES = "score", "scores"
"""Outputs of a classifier that knows no probabilities: of the second class, or one a class."""

LINEAR_WITH_SCORES = (
    *("LinearSVC", "PassiveAggressiveClassifier", "Perceptron", "RidgeClassifier", "RidgeClassifierCV"),
    "SGDClassifier",
)
"""Linear classifiers, of which those that know no probabilities say their scores."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an estimator says of a row.

    task:    "regression", "binary", "multiclass"; "outputs": a label, with scores or without.
    classes: the labels in order; empty if it gives numbers, or numbers of clusters.
    numbers: how many numbers a regression gives.
    scores:  whether scores come with the label.
    """

    task: Task
    classes: Tensor
    numbers: int = 1
    scores: bool = False

    def outputs(self) -> list[ValueInfoProto]:
        """The outputs of its graph."""
        if self.task != "outputs":
            return outputs_of(self.task, self.classes, numbers=self.numbers)
        kind = (
            np.int64 if not len(self.classes) else object if self.classes.dtype == object else self.classes.dtype.type
        )
        shown = [value(PREDICTION, kind, "N")]
        if self.scores:
            many = len(self.classes) > 2
            shown.append(value(SCORES if many else SCORE, np.float64, "N", *([len(self.classes)] if many else [])))
        return shown

    def answers(self, model: Any, rows: Any) -> Answers:
        """What the model says of rows."""
        if self.task == "regression":
            said = np.asarray(model.predict(rows), np.float64)
            return {PREDICTION: said.reshape((len(rows), *([self.numbers] if self.numbers > 1 else [])))}
        labels = class_array(list(np.ravel(model.predict(rows))))
        if self.task != "outputs":
            return {
                **labelled(self.task, np.asarray(model.predict_proba(rows), np.float64), self.classes),
                PREDICTION: labels,
            }
        scores = {SCORES if len(self.classes) > 2 else SCORE: model.decision_function(rows)} if self.scores else {}
        return {PREDICTION: labels, **scores}


def meaning_of(model: Any) -> Meaning:
    """What a fitted estimator says. Raises ModelError for one that says nothing of new rows, or several labels."""
    kind = type(model).__name__
    if not hasattr(model, "predict"):
        raise ModelError(
            f"model: {kind} has no predict for new rows; allowed: estimators that have one; "
            "put one at the end of the Pipeline"
        )
    known = getattr(model, "classes_", None)
    if known is None:
        return _without_classes(model)
    if isinstance(known, list):
        raise ModelError(f"model: {kind} with several labels; allowed: one; fit one model a label")
    classes = class_array(list(known))
    if hasattr(model, "predict_proba"):
        return Meaning("binary" if len(classes) == 2 else "multiclass", classes)
    return Meaning("outputs", classes, scores=kind in LINEAR_WITH_SCORES)


def _without_classes(model: Any) -> Meaning:
    """A regression, or a clustering or outlier detector, whose labels are whole numbers; a row of zeros tells."""
    from sklearn.base import is_clusterer, is_outlier_detector

    if is_clusterer(model) or is_outlier_detector(model):
        return Meaning("outputs", np.empty(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that the row does not have
        try:
            said = np.asarray(model.predict(np.zeros((1, getattr(model, "n_features_in_", 1)))))
        except Exception:  # of an estimator that does not like zeros; the graph's outputs are judged later
            return Meaning("regression", np.empty(0))
    return Meaning("regression", np.empty(0), numbers=said.size)
