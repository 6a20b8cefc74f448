"""What the original says of the rows that a smaller model learns from; asked once, and kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.compress.context import Context
from unisono.compress.subject import Subject
from unisono.models import ImportedModel, import_model
from unisono.models.names import PREDICTION, PROBABILITIES, PROBABILITY
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing

Part = Literal["train", "validation", "unlabelled"]

_ROWS = 4096  # asked at a time; texts of one length are asked together, and of few rows few are equally long
_SMALLEST = 1e-7  # of a probability whose logarithm is taken


def teacher_scores(context: Context, part: Part) -> NDArray[np.float32]:
    """The original's scores: rows x classes, whose softmax are its probabilities; of a regression rows x 1.

    part: of the data.
    """
    path = context.cache / f"teacher-{part}.npy"
    if path.exists():
        kept: NDArray[np.float32] = np.load(path)
        return kept
    scores = _asked(context, part)
    with path.with_suffix(".part").open("wb") as file:
        np.save(file, scores)
    path.with_suffix(".part").replace(path)
    return scores


def _asked(context: Context, part: Part) -> NDArray[np.float32]:
    """Some thousand rows at a time, so that somebody sees how far it is."""
    frame: pl.DataFrame = getattr(context.data, part)
    ask = _asking(context.original, context)
    found = []
    for start in range(0, max(frame.height, 1), _ROWS):
        context.progress(f"asking the teacher ({part})", start, frame.height)
        found.append(ask(frame[start : start + _ROWS]))
    return np.concatenate(found)


def subject_scores(subject: Subject, frame: pl.DataFrame, context: Context) -> NDArray[np.float32]:
    """A model's scores for the rows of a frame: rows x classes, or rows x 1 of a regression."""
    return _asking(subject, context)(frame)


def _asking(subject: Subject, context: Context) -> Callable[[pl.DataFrame], NDArray[np.float32]]:
    if subject.torch is not None:
        from unisono.compress.modules.model import answers

        return partial(answers, subject.torch)
    imported = subject.graph
    if imported is None:
        imported = import_model(subject.ensemble, inputs=context.data.inputs, columns=subject.columns)
    return partial(graph_scores, imported)


def graph_scores(imported: ImportedModel, frame: pl.DataFrame) -> NDArray[np.float32]:
    """What a graph's model says of the rows of a frame, as scores."""
    said = imported.answer(frame)
    if imported.task == "regression":
        return np.asarray(said[PREDICTION], np.float32).reshape(frame.height, -1)
    if imported.task == "binary":
        second = np.asarray(said[PROBABILITY], np.float64)
        probabilities = np.stack([1 - second, second], axis=1)
    elif imported.task == "multiclass":
        probabilities = np.asarray(said[PROBABILITIES], np.float64)
    else:
        raise ModelError(
            f"teacher: gives {listing(said)}; allowed: classes with probabilities, or one number a row; give a model "
            "that answers the question itself"
        )
    scores: NDArray[np.float32] = np.log(np.maximum(probabilities, _SMALLEST)).astype(np.float32)
    return scores
