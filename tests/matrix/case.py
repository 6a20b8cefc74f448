"""A fitted model with the rows that it is tried on: a row of the matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from unisono.spec.types import DType

TIME = "asked_at"
"""The column that every predictor of the matrix takes its time from; it need not be among the rows."""

KINDS = (
    *("regression", "binary", "multi-class", "multi-output", "outputs", "text", "image"),
    *("missing values", "categories", "wide", "long"),
)
"""What the models of the matrix have to be of: wide has 500 columns or more, long 100,000 rows."""


@dataclass(frozen=True, slots=True)
class Case:
    """A fitted model and what it is asked.

    model:   what `Project.register` takes.
    request: the columns that a caller sends, with dtypes.
    rows:    what is asked; all of the request's columns.
    columns: the model's columns in training order, if it knows no names.
    bound:   what is said to `Project.register`; None: nothing.
    kinds:   what it is one of; together the models are of all KINDS.
    """

    model: object = field(repr=False)
    request: Mapping[str, DType]
    rows: pl.DataFrame = field(repr=False)
    kinds: tuple[str, ...]
    columns: tuple[str, ...] | None = None
    bound: float | None = None


Builder = Callable[[], Case]
"""Fits a model, in a second or so. A file models_*.py lists its own as MODELS, a mapping from a predictor's name."""
