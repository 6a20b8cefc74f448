"""Teaches a student of scikit-learn or LightGBM: trees, a forest, one tree, a linear model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.compress.context import Context
from unisono.compress.distil.choosing import Mixture, least, mixtures, validation_loss
from unisono.compress.distil.learners import LEARNERS, columns_for, text_part, with_classes
from unisono.compress.distil.learners import Settings as LearnerSettings
from unisono.compress.distil.lessons import Rows, rows_of
from unisono.compress.distil.reading import Reading, frame_of, reading_of
from unisono.compress.distil.soft import mixed, weighted
from unisono.compress.distil.words import Learnt, columns_of, learnt
from unisono.compress.subject import Subject
from unisono.spec.errors import InputError
from unisono.spec.wording import one_line

_SMALLEST = 1e-7  # of a probability whose logarithm is taken


class Settings(LearnerSettings, Protocol):
    """What is taught, and how."""

    @property
    def student(self) -> str: ...
    @property
    def words(self) -> int: ...
    @property
    def temperature(self) -> float | str: ...
    @property
    def teacher_share(self) -> float | str: ...


def taught_estimator(subject: Subject, context: Context, settings: Settings) -> Subject:
    """A student of the columns that the subject reads, in the place of it.

    Raises ModelError for a teacher that reads what such a student cannot, InputError for rows without features.
    """
    reading = reading_of(subject, context)
    rows = rows_of(context, reading.columns)
    desk = _Desk(reading, rows, context, settings)
    choices = mixtures(settings.temperature, settings.teacher_share, has_classes=bool(context.data.classes))
    best, losses = least(choices, lambda mixture: validation_loss(desk.scores(desk.fitted(mixture)), context.data))
    made = subject.with_ensemble(desk.whole(desk.fitted(best)), None if desk.columns else reading.columns)
    return made.noting(
        "distil",
        student=settings.student,
        temperature=best.temperature,
        teacher_share=best.teacher_share,
        rows=rows.frame.height,
        unlabelled=context.data.unlabelled.height,
        tried=[{**one.document(), "loss": loss} for one, loss in zip(choices, losses, strict=False)],
    )


class _Desk:
    """A student's matrix, made once, and the students that were taught on it.

    columns: what makes the matrix of a frame; None: the numbers as they are.
    """

    def __init__(self, reading: Reading, rows: Rows, context: Context, settings: Settings) -> None:
        self._reading, self._rows, self._context, self._settings = reading, rows, context, settings
        frame = self._frame(rows.frame)
        with _refusing_silence():
            found = {name: self._learnt(frame.get_column(name)) for name in reading.texts}
            made = {name: columns_of(settings.student, one, most=settings.words) for name, one in found.items()}
            self.columns = columns_for(settings.student, reading, made)
            self._matrix = frame.to_numpy() if self.columns is None else self.columns.fit_transform(frame)
        if settings.student != "linear":
            for name, one in found.items():
                self._matrix = _with_last(self._matrix, self.columns.output_indices_[text_part(name)], one.crossed)
        self._validation = self._read(context.data.validation)
        self._fitted: dict[Mixture, Any] = {}

    def _frame(self, rows: pl.DataFrame) -> pl.DataFrame:
        return frame_of(rows, self._reading, self._context.data.inputs)

    def _learnt(self, texts: pl.Series) -> Learnt:
        settings, context = self._settings, self._context
        first, *_ = mixtures(settings.temperature, settings.teacher_share, has_classes=bool(context.data.classes))
        return learnt(
            texts.to_list(), self._shares(first), most=settings.words, seed=context.seed, progress=context.progress
        )

    def _shares(self, mixture: Mixture) -> NDArray[np.float64]:
        share, temperature = mixture.teacher_share, mixture.temperature
        return mixed(self._rows.taught, self._rows.targets, teacher_share=share, temperature=temperature)

    def _read(self, rows: pl.DataFrame) -> Any:
        return self._frame(rows).to_numpy() if self.columns is None else self.columns.transform(self._frame(rows))

    def fitted(self, mixture: Mixture) -> Any:
        """The student that a mixture makes."""
        if mixture not in self._fitted:
            self._context.progress("teaching", len(self._fitted), None)
            self._fitted[mixture] = self._taught(mixture)
        return self._fitted[mixture]

    def _taught(self, mixture: Mixture) -> Any:
        classes = self._context.data.classes
        lesson = weighted(self._shares(mixture))
        model = LEARNERS[self._settings.student](self._settings, bool(classes), self._context.seed)
        model.fit(self._matrix[lesson.rows], lesson.targets, sample_weight=lesson.weights)
        return with_classes(model, classes) if classes else model

    def scores(self, model: Any) -> NDArray[np.float32]:
        """What a student says of the validation rows: rows x classes, in the order of the data's, or rows x 1."""
        if not self._context.data.classes:
            return np.asarray(model.predict(self._validation), np.float32).reshape(-1, 1)
        said = np.asarray(model.predict_proba(self._validation))
        scores: NDArray[np.float32] = np.log(np.maximum(said, _SMALLEST)).astype(np.float32)
        return scores

    def whole(self, model: Any) -> Any:
        """A student with what makes its matrix."""
        from sklearn.pipeline import Pipeline

        return model if self.columns is None else Pipeline([("columns", self.columns), ("student", model)])


@contextmanager
def _refusing_silence() -> Iterator[None]:
    """What scikit-learn says of texts without words is said in our way."""
    try:
        yield
    except ValueError as error:
        raise InputError(
            f"data: {one_line(error)}; allowed: rows with words or numbers to learn from; give more rows"
        ) from error


def _with_last(matrix: Any, part: slice, last: NDArray[np.float64]) -> Any:
    """A sparse matrix with other numbers in the last columns of a part of it."""
    from scipy.sparse import csr_matrix, hstack

    whole = csr_matrix(matrix)
    first = part.stop - last.shape[1]
    return hstack([whole[:, :first], csr_matrix(last), whole[:, part.stop :]], format="csr")
