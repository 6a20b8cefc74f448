"""What a driver needs of whoever answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import polars as pl
from numpy.typing import NDArray

from unisono.features.answers import Matrix
from unisono.spec.active import Version

Outputs = Mapping[str, NDArray[Any]]
"""Output name -> one value, or row of values, a request."""

Value = str | int | float | bool | NDArray[Any] | None
"""One value of a request: a Timestamp in microseconds, a Decimal as a float, a Tensor as an array."""


class Scores(Protocol):
    """One version of a predictor, ready to answer; see `scoring.Scorer`."""

    @property
    def version(self) -> Version:
        """Which one."""
        ...

    def score(self, requests: pl.DataFrame, features: Matrix) -> Outputs:
        """The outputs for some requests and their feature rows, null by its payload."""
        ...

    def score_row(self, request: Mapping[str, Value], features: Matrix) -> Outputs:
        """The outputs for one request; the same bits as among others."""
        ...
