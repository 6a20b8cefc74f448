"""What the original says of the rows that a smaller model learns from; asked once, and kept."""

from __future__ import annotations

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

_SMALLEST = 1e-7  # of a probability whose logarithm is taken


def teacher_scores(context: Context, part: Part) -> NDArray[np.float32]:
    """The original's scores: rows x classes, whose softmax are its probabilities; of a regression rows x 1.

    part: of the data.
    """
    path = context.cache / f"teacher-{part}.npy"
    if path.exists():
        kept: NDArray[np.float32] = np.load(path)
        return kept
    frame: pl.DataFrame = getattr(context.data, part)
    context.progress(f"asking the teacher ({part})", 0, frame.height)
    scores = subject_scores(context.original, frame, context)
    with path.with_suffix(".part").open("wb") as file:
        np.save(file, scores)
    path.with_suffix(".part").replace(path)
    return scores


def subject_scores(subject: Subject, frame: pl.DataFrame, context: Context) -> NDArray[np.float32]:
    """A model's scores for the rows of a frame: rows x classes, or rows x 1 of a regression."""
    if subject.torch is not None:
        from unisono.compress.modules.model import answers

        return answers(subject.torch, frame)
    imported = subject.graph
    if imported is None:
        imported = import_model(subject.ensemble, inputs=context.data.inputs, columns=subject.columns)
    return graph_scores(imported, frame)


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
