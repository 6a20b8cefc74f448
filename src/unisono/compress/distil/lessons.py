"""The rows that a student learns from: those with a label, then those without, each with the teacher's answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.compress.context import Context
from unisono.compress.teacher import teacher_scores
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing, quoted


@dataclass(frozen=True, slots=True)
class Rows:
    """What a student learns from.

    frame:   the rows, with the columns that the student reads.
    targets: what is right, as `Data.targets` says; -1 or NaN where nobody knows.
    taught:  the teacher's scores, rows x classes, or rows x 1 of a regression.
    """

    frame: pl.DataFrame
    targets: NDArray[Any]
    taught: NDArray[np.float32]


def rows_of(context: Context, columns: Sequence[str]) -> Rows:
    """The rows to learn from. Raises ModelError if the teacher's answers do not fit the classes."""
    data = context.data
    targets = data.targets(data.train)
    taught = _refusing_others(teacher_scores(context, "train"), context)
    if not data.unlabelled.height:
        return Rows(data.train.select(columns), targets, taught)
    unknown = np.full(data.unlabelled.height, -1 if data.classes else np.nan, targets.dtype)
    return Rows(
        pl.concat([data.train.select(columns), data.unlabelled.select(columns)]),
        np.concatenate([targets, unknown]),
        np.concatenate([taught, _refusing_others(teacher_scores(context, "unlabelled"), context)]),
    )


def _refusing_others(scores: NDArray[np.float32], context: Context) -> NDArray[np.float32]:
    wanted = max(len(context.data.classes), 1)
    if scores.shape[1] != wanted:
        raise other_classes("teacher", f"{scores.shape[1]} scores a row", context.data.classes)
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).any(axis=1).sum())
        raise ModelError(
            f"teacher: NaN or infinite scores for {bad:,} rows; allowed: numbers; look for rows that it cannot read"
        )
    return scores


def other_classes(who: str, seen: str, classes: Sequence[Any]) -> ModelError:
    """What is said of a teacher or a student that answers another question than the data ask."""
    allowed = f"one for each of {listing(quoted(one) for one in classes)}" if classes else "one number a row"
    return ModelError(f"{who}: {seen}; allowed: {allowed}; give one with the same classes in the same order")
