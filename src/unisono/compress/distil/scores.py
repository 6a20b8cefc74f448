"""The score of a linear model as one more column, in a pipeline of scikit-learn."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin


class LinearScores(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Weighted sums of columns; there is nothing to fit any more.

    coef:      outputs x columns.
    intercept: one an output.
    """

    def __init__(self, coef: NDArray[np.float64], intercept: NDArray[np.float64]) -> None:
        self.coef = coef
        self.intercept = intercept

    def fit(self, rows: Any, targets: Any = None) -> Self:
        """Nothing to learn."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, rows: Any) -> NDArray[np.float64]:
        """Rows x outputs."""
        scores: NDArray[np.float64] = np.asarray(rows @ self.coef.T) + self.intercept
        return scores
