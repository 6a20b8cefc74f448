"""What a model says of some rows, in the form that its task gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.models import PredictorGraph, Session
from unisono.models.names import PREDICTION, PROBABILITIES, PROBABILITY
from unisono.spec.errors import ModelError
from unisono.spec.progress import Progress

Numbers = NDArray[np.float64]
Outputs = Mapping[str, NDArray[Any]]

_ROWS = 256  # asked between two reports of progress
_TINY = 1e-30  # of a vector's length


@dataclass(frozen=True, slots=True)
class Chances:
    """Of a classifier.

    values: rows x classes, each row of sum 1.
    """

    values: Numbers

    @property
    def said(self) -> NDArray[np.int64]:
        """The place of each row's likeliest class; of two that are equally likely the first."""
        places: NDArray[np.int64] = self.values.argmax(axis=1)
        return places

    @property
    def confidence(self) -> Numbers:
        """How likely the class is that is said."""
        highest: Numbers = self.values.max(axis=1)
        return highest


@dataclass(frozen=True, slots=True)
class Values:
    """Of a regression: one number a row."""

    values: Numbers


@dataclass(frozen=True, slots=True)
class Vectors:
    """Of a model with outputs of its own: all of its numbers, rows x numbers."""

    values: Numbers

    def cosines(self, other: Vectors) -> Numbers:
        """How alike two answers are, row by row: 1 is the same direction."""
        lengths = np.linalg.norm(self.values, axis=1) * np.linalg.norm(other.values, axis=1)
        found: Numbers = (self.values * other.values).sum(axis=1) / np.maximum(lengths, _TINY)
        return np.where(lengths < _TINY, 1.0 * (self.values == other.values).all(axis=1), found)


Answers = Chances | Values | Vectors

_KEPT: dict[tuple[str, ...], Answers] = {}
_MOST_KEPT = 4


def kept_answers(key: tuple[str, ...], ask: Callable[[], Answers]) -> Answers:
    """The answers to a question that was asked before in this process, as those of one original are in a search.

    key: says the question: of which model, in which runtime, to which rows.
    """
    if key not in _KEPT:
        while len(_KEPT) >= _MOST_KEPT:
            del _KEPT[next(iter(_KEPT))]
        _KEPT[key] = ask()
    return _KEPT[key]


def answers_of(graph: PredictorGraph, session: Session, frame: pl.DataFrame, progress: Progress) -> Answers:
    """What a model says of the rows of a frame.

    graph:   whose arrays are made of the frame.
    session: that runs it.

    Raises InputError for a frame that does not fit, ModelError for a model whose answers are no numbers.
    """
    parts: list[Outputs] = []
    for start in range(0, frame.height, _ROWS):
        rows = frame[start : start + _ROWS]
        parts.append(session.run(graph.features_of(rows), graph.encode(rows, "data")))
        progress("judging", min(start + _ROWS, frame.height), frame.height)
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    found = _form(graph.task, whole)
    if not np.isfinite(found.values).all():
        row = int(np.argmin(np.isfinite(found.values.reshape(len(found.values), -1)).all(axis=1)))
        raise ModelError(
            f"model: its answer to test row {row} is not finite; allowed: finite answers; leave such rows out, or fill "
            "their gaps"
        )
    return found


def _form(task: str, outputs: Outputs) -> Answers:
    if task == "binary":
        second = outputs[PROBABILITY].astype(np.float64)
        return Chances(np.stack([1 - second, second], axis=1))
    if task == "multiclass":
        return Chances(outputs[PROBABILITIES].astype(np.float64))
    if task == "regression" and outputs[PREDICTION].ndim == 1:
        return Values(outputs[PREDICTION].astype(np.float64))
    parts = [one.astype(np.float64).reshape(len(one), -1) for one in outputs.values() if one.dtype.kind == "f"]
    if not parts:
        raise ModelError(
            "model: none of its outputs are floats; allowed: numbers that can be compared; compress another"
        )
    return Vectors(np.concatenate(parts, axis=1))
