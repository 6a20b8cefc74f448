"""An ensemble as LightGBM's model text, and rows as its matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from unisono.compress.data import Data
from unisono.compress.prune.trees import forests
from unisono.compress.prune.trees.text import Ensemble, read_text
from unisono.compress.subject import Subject
from unisono.models.importers import lightgbm as importer
from unisono.models.importers.base import NUMBERS, comes_from, match_columns, not_fitted, refuse_other_dtypes
from unisono.models.importers.base import matrix_of as numbers_of
from unisono.models.importers.categories import matrix_of
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing


@dataclass(frozen=True, slots=True)
class Source:
    """What is pruned.

    ensemble: its trees.
    classes:  labels in order; empty if it gives numbers.
    columns:  in training order, if the trees do not name them.
    matrix:   the rows of a frame as the trees take them.
    """

    ensemble: Ensemble
    classes: tuple[Any, ...]
    columns: tuple[str, ...] | None
    matrix: Callable[[pl.DataFrame], Any]


def source_of(subject: Subject, data: Data) -> Source:
    """The trees of a model. Raises ModelError if it is no ensemble that adds up trees."""
    model = subject.ensemble
    if comes_from(model, "lightgbm"):
        return _of_lightgbm(subject, data)
    if type(model).__name__ in forests.READERS:
        return _of_sklearn(subject, data)
    allowed = listing(["a model of LightGBM", *forests.READERS])
    raise ModelError(
        f"prune_trees: a {type(model).__name__}; allowed: {allowed}; give the fitted trees themselves, or choose "
        "another step"
    )


def _of_lightgbm(subject: Subject, data: Data) -> Source:
    fitted = importer.read(subject.ensemble, data.inputs, subject.columns)
    ensemble = read_text(fitted.booster.model_to_string())
    classes = tuple(fitted.classes.tolist())
    return Source(ensemble, classes, subject.columns, lambda frame: matrix_of(frame, fitted.columns))


def _of_sklearn(subject: Subject, data: Data) -> Source:
    model = subject.ensemble
    if not hasattr(model, "n_features_in_"):
        raise not_fitted(model)
    known = getattr(model, "feature_names_in_", None)
    names = [f"x{place}" for place in range(model.n_features_in_)] if known is None else list(known)
    columns = match_columns(names, data.inputs, subject.columns)
    refuse_other_dtypes(columns, data.inputs, NUMBERS)
    classes = tuple(getattr(model, "classes_", ()))
    ensemble = forests.ensemble_of(model)
    return Source(ensemble, classes, columns, lambda frame: numbers_of(frame, columns, data.inputs))
