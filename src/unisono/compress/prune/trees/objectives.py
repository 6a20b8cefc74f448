"""What trees are fitted to: a loss of their scores, with its slope and its curvature.

Scores, means and targets are rows x outputs; a loss is the mean over rows, of all outputs together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SMALLEST = 1e-12  # of a probability whose logarithm is taken, and of a curvature
_LARGEST_STEP = 2.0  # of a score whose sigmoid is taken


@dataclass(frozen=True, slots=True)
class Objective:
    """A loss.

    means:        what scores say of the targets: probabilities, or numbers.
    loss:         of means against targets.
    slopes:       first and second derivative of a row's loss by its score, from means and targets.
    takes_labels: whether the labels are what it is about; else the original's own scores are followed.
    largest_step: no leaf moves farther at once: far out, a sigmoid is flat, and a step by its curvature of any length.
    """

    means: Callable[[Floats], Floats]
    loss: Callable[[Floats, Floats], float]
    slopes: Callable[[Floats, Floats], tuple[Floats, Floats]]
    takes_labels: bool = True
    largest_step: float = np.inf


def objective_of(said: str) -> Objective:
    """The objective that a model text names, e.g. "binary sigmoid:1"."""
    name, _, words = said.partition(" ")
    if name == "multiclass":
        return Objective(_softmax, _cross_entropy, _logistic_slopes(1.0), largest_step=_LARGEST_STEP)
    if name in ("binary", "multiclassova", "cross_entropy"):
        parameters = dict(word.split(":", 1) for word in words.split() if ":" in word)
        scale = float(parameters.get("sigmoid", 1.0))
        return Objective(_sigmoid(scale), _log_loss, _logistic_slopes(scale), largest_step=_LARGEST_STEP / scale)
    return Objective(_same, _squares, _straight_slopes, takes_labels=said == "regression")


def _same(scores: Floats) -> Floats:
    return scores


def _sigmoid(scale: float) -> Callable[[Floats], Floats]:
    def means(scores: Floats) -> Floats:
        return np.asarray(0.5 + 0.5 * np.tanh(0.5 * scale * scores))

    return means


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _squares(means: Floats, targets: Floats) -> float:
    return float(0.5 * np.square(means - targets).sum(axis=1).mean())


def _cross_entropy(means: Floats, targets: Floats) -> float:
    return float(-(targets * np.log(np.maximum(means, _SMALLEST))).sum(axis=1).mean())


def _log_loss(means: Floats, targets: Floats) -> float:
    return _cross_entropy(means, targets) + _cross_entropy(1 - means, 1 - targets)


def _straight_slopes(means: Floats, targets: Floats) -> tuple[Floats, Floats]:
    return means - targets, np.ones_like(means)


def _logistic_slopes(scale: float) -> Callable[[Floats, Floats], tuple[Floats, Floats]]:
    def slopes(means: Floats, targets: Floats) -> tuple[Floats, Floats]:
        return scale * (means - targets), scale**2 * np.maximum(means * (1 - means), _SMALLEST)

    return slopes
