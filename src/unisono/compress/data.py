"""The rows that a recipe works with: to learn from, to choose by, and to be judged by; no row is in two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.spec.errors import InputError
from unisono.spec.types import DType
from unisono.spec.wording import did_you_mean, listing, quoted

_SHOWN = 5  # labels in an error


@dataclass(frozen=True, slots=True)
class Data:
    """Rows with what a model reads, the label, and the columns that slices are made by.

    train:      to learn from and to calibrate by.
    validation: to choose by: when to stop, which rank, which temperature.
    test:       what the report judges by; no step ever sees it.
    unlabelled: rows without a label, to distil on; empty if there are none.
    inputs:     the columns that a model may read, with dtypes.
    label:      the label's column.
    classes:    the labels in the order of the model's scores; empty for a regression.
    slices:     columns; each of their values is a slice of the report.
    identity:   a hash of all of it, 32 hexadecimal digits.
    """

    train: pl.DataFrame
    validation: pl.DataFrame
    test: pl.DataFrame
    unlabelled: pl.DataFrame
    inputs: Mapping[str, DType]
    label: str
    classes: tuple[Any, ...]
    slices: tuple[str, ...]
    identity: str

    def targets(self, frame: pl.DataFrame) -> NDArray[Any]:
        """What is right for each row: the place of its class (int64), or its number (float64).

        Raises InputError for a label that is none of the classes, or is null.
        """
        column = frame.get_column(self.label)
        if not self.classes:
            return column.cast(pl.Float64).to_numpy()
        places = {label: place for place, label in enumerate(self.classes)}
        found = [places.get(value, -1) for value in column.to_list()]
        if -1 in found:
            raise self._unknown_label(column)
        return np.array(found, np.int64)

    def _unknown_label(self, column: pl.Series) -> InputError:
        unknown = [value for value in column.unique(maintain_order=True).to_list() if value not in self.classes]
        return InputError(
            f"data, label {quoted(self.label)}: {listing(quoted(one) for one in unknown[:_SHOWN])}; allowed: the "
            f"model's classes, {listing(quoted(one) for one in self.classes)}; name the label's column with "
            "`label` in [data], or correct its values"
        )


def column_of(frame: pl.DataFrame, name: str, what: str) -> pl.Series:
    """A column of the data. Raises InputError if it is not there.

    what: it is wanted for.
    """
    if name not in frame.columns:
        raise InputError(
            f"data: no column {quoted(name)}, which is the {what}; allowed: {listing(frame.columns)}; "
            f"{did_you_mean(name, frame.columns)}"
        )
    return frame.get_column(name)


def sample_of(frame: pl.DataFrame, rows: int, seed: int) -> pl.DataFrame:
    """At most so many rows, drawn by a seed, in the order of the frame."""
    if frame.height <= rows:
        return frame
    chosen: Sequence[int] = np.sort(np.random.default_rng(seed).choice(frame.height, rows, replace=False)).tolist()
    return frame[chosen]
