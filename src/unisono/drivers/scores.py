"""What a driver needs of whoever answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unisono.spec.active import Version
from unisono.spec.types import DType

if TYPE_CHECKING:  # who answers requests needs no frames
    import polars as pl

Matrix = NDArray[np.float64]

Outputs = Mapping[str, NDArray[Any]]
"""Output name -> one value, or row of values, a request."""

Value = str | int | float | bool | NDArray[Any] | None
"""One value of a request: a Timestamp in microseconds, a Decimal in its last places, a Tensor as an array."""

Row = Sequence[Value]
"""A request: its values in the order of the predictor's columns."""


class Scores(Protocol):
    """One version of a predictor, ready to answer; see `scoring.Scorer`."""

    @property
    def version(self) -> Version:
        """Which one."""
        ...

    def score(self, requests: pl.DataFrame, features: Matrix) -> Outputs:
        """The outputs for some requests and their feature rows, null by its payload."""
        ...

    def of_rows(self, columns: Mapping[str, DType]) -> ScoresRows:
        """The same version, for requests as they come in.

        columns: of a request, in order, with dtypes.
        """
        ...


class ScoresRows(Protocol):
    """One version of a predictor, ready to answer requests as they come in; the same bits as for frames of them."""

    @property
    def version(self) -> Version:
        """Which one."""
        ...

    def score_rows(self, rows: Sequence[Row], features: Matrix) -> Outputs:
        """The outputs for some requests and their feature rows, null by its payload."""
        ...

    def stop(self) -> None:
        """Let what runs now end as soon as it can, with an error. On any thread."""
        ...
