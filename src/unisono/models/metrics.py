"""How good a version is on rows whose truth is known: from the answers of its graph, in numpy alone.

scikit-learn has these, too, and is what they are tested against; but it need not be there where a model is registered,
and an artifact's bytes must not depend on whether it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from unisono.models.names import PREDICTION, PROBABILITIES, PROBABILITY
from unisono.spec.errors import InputError
from unisono.spec.wording import NAME_ALLOWED, is_name, listing, quoted

FORMAT = 1

Numbers = NDArray[np.float64]

_DIGITS = 12  # the last ones belong to the order of a sum


class MetricsJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """metrics.json.

    label:  the column with the truth; None: the predictor has none, or the sample.
    rows:   of the sample whose truth is known.
    values: metric -> number, computed from the graph's answers to these rows.
    given:  the user's own, as they were given.
    note:   why there are no values, if that needs saying.
    """

    format: int
    label: str | None
    rows: int
    values: dict[str, float]
    given: dict[str, float]
    note: str | None = None


def metrics_of(
    task: str, classes: Sequence[Any], outputs: Mapping[str, NDArray[Any]], truth: Sequence[Any]
) -> tuple[dict[str, float], str | None]:
    """What is known of some answers, and why nothing is, if that needs saying.

    task, classes: as a `PredictorGraph` says them.
    outputs:       of the rows whose truth is known.
    truth:         theirs: a number for a regression, else one of the classes.

    Regression: rmse, mae, r2. Binary: auc, log_loss, brier, accuracy. Multiclass: log_loss, accuracy. What is not
    defined (auc of one class, r2 of one number) is left out.
    """
    if not len(truth) or task not in _TASKS:
        return {}, None
    if task == "regression":
        if outputs[PREDICTION].ndim != 1:
            return {}, "the model gives several numbers a row, the label is one"
        known = np.asarray(truth, np.float64)
        return _rounded(_regression(outputs[PREDICTION].astype(np.float64), known)), None
    places = {value: place for place, value in enumerate(classes)}
    if strangers := sorted({quoted(one) for one in truth if one not in places}):
        return {}, f"labels {listing(strangers)} are none of the classes {listing(classes)}"
    return _rounded(_TASKS[task](outputs, np.array([places[one] for one in truth]))), None


def given_metrics(given: Mapping[str, float]) -> dict[str, float]:
    """The user's own metrics, judged. Raises InputError for a name or number that cannot be kept."""
    for name, value in given.items():
        if not is_name(name):
            raise InputError(f"metric {quoted(name)}: not a name; allowed: {NAME_ALLOWED}; rename it")
        if not math.isfinite(value):
            raise InputError(f"metric {name}: {quoted(value)}; allowed: a finite number; leave it out if it has none")
    return {name: float(value) for name, value in sorted(given.items())}


def metrics_json(metrics: MetricsJson) -> bytes:
    """As a file of the artifact: the same bytes for the same metrics."""
    return msgspec.json.encode(metrics, order="sorted")


def _rounded(values: Iterable[tuple[str, float]]) -> dict[str, float]:
    return {name: float(f"{value:.{_DIGITS}g}") for name, value in values if math.isfinite(value)}


def _regression(says: Numbers, truth: Numbers) -> Iterable[tuple[str, float]]:
    with np.errstate(all="ignore"):  # what is no number is left out
        squares = (says - truth) ** 2
        yield "rmse", float(np.sqrt(squares.mean()))
        yield "mae", float(np.abs(says - truth).mean())
        yield "r2", float(1.0 - squares.sum() / ((truth - truth.mean()) ** 2).sum())


def _binary(outputs: Mapping[str, NDArray[Any]], places: NDArray[np.int64]) -> Iterable[tuple[str, float]]:
    chance = outputs[PROBABILITY].astype(np.float64)
    is_second = places == 1
    yield "auc", area_under_curve(chance, is_second)
    yield "log_loss", _log_loss(np.where(is_second, chance, 1.0 - chance))
    yield "brier", float(((chance - is_second) ** 2).mean())
    yield "accuracy", float(((chance > 0.5) == is_second).mean())


def _multiclass(outputs: Mapping[str, NDArray[Any]], places: NDArray[np.int64]) -> Iterable[tuple[str, float]]:
    chances = outputs[PROBABILITIES].astype(np.float64)
    yield "log_loss", _log_loss(np.take_along_axis(chances, places[:, np.newaxis], axis=1))
    yield "accuracy", float((chances.argmax(axis=1) == places).mean())


def area_under_curve(scores: Numbers, is_second: NDArray[np.bool_]) -> float:
    """How often a row of the second class has a higher score than one of the first; equal scores count half.

    NaN if there is no row of one of them. Mann and Whitney, 1947.

    >>> area_under_curve(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, False, True, True]))
    0.875
    """
    second, first = int(is_second.sum()), int((~is_second).sum())
    if not (first and second) or np.isnan(scores).any():
        return math.nan
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2.0  # the mean rank of equal scores
    return float((ranks[places][is_second].sum() - second * (second + 1) / 2.0) / (first * second))


def _log_loss(chance_of_truth: Numbers) -> float:
    """A chance of 0 counts as the smallest step above it, as in scikit-learn."""
    least = float(np.finfo(np.float64).eps)
    return float(-np.log(np.clip(chance_of_truth, least, 1.0 - least)).mean())


_TASKS: Mapping[str, Callable[..., Iterable[tuple[str, float]]]] = {
    "regression": _regression,
    "binary": _binary,
    "multiclass": _multiclass,
}
