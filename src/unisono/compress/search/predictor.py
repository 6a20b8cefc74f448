"""What a recipe will give, learnt from those that were tried: a forest, which says how far it can be trusted.

A forest of extremely randomised trees takes settings of any kind and few trials (SMAC takes random ones: Hutter, Hoos,
Leyton-Brown, 2011). Each of its trees is grown on a sample of the trials, and each trial is predicted by the trees that
have not seen it (Breiman, Out-of-bag estimation, 1996): so it is judged by the error, by the rank correlation, and by
the error that nine in ten stay below, which is the margin where something has to be sure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TREES = 100
_FEWEST = 10  # trials
_SURE = 0.9
_RANKED = 0.6  # rank correlation from which it is used

Numbers = NDArray[np.float64]
Described = Mapping[str, float]
"""A trial: what was chosen, figures, statistics of layers, by name."""


@dataclass(frozen=True, slots=True)
class Validation:
    """How well trials were predicted that were not learnt from.

    trials:      that there are.
    error:       mean absolute error, in the objective's unit.
    margin:      that nine in ten errors stay below.
    correlation: of the ranks (Spearman); 0 if all are equal.
    """

    trials: int
    error: float
    margin: float
    correlation: float

    @property
    def is_trusted(self) -> bool:
        """Whether it ranks well enough to be used."""
        return self.correlation >= _RANKED


class Predictor:
    """Of one objective.

    trials: what is known of each, from which it is predicted.
    values: of the objective.
    seed:   of the forest.
    """

    def __init__(self, trials: Sequence[Described], values: Sequence[float], *, seed: int) -> None:
        self._names = tuple(dict.fromkeys(name for one in trials for name in one))
        matrix, targets = self._matrix(trials), np.asarray(values, np.float64)
        self._forest = _fitted(matrix, targets, seed)
        self.validation = _validation(self._forest.oob_prediction_, targets)

    def _matrix(self, trials: Sequence[Described]) -> Numbers:
        """What was not chosen in a trial is -1, which no setting is."""
        return np.array([[one.get(name, -1.0) for name in self._names] for one in trials], np.float64)

    def predict(self, trial: Described) -> float:
        """The objective of one that was not tried."""
        return float(self._forest.predict(self._matrix([trial]))[0])

    def lowest(self, trial: Described) -> float:
        """What it will hardly be below."""
        return self.predict(trial) - self.validation.margin


def enough(trials: int) -> bool:
    """Whether so many trials are enough to learn from, and to be judged by."""
    return trials >= _FEWEST


def _fitted(matrix: Numbers, targets: Numbers, seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesRegressor

    forest = ExtraTreesRegressor(_TREES, bootstrap=True, oob_score=True, random_state=seed, n_jobs=1)
    return forest.fit(matrix, targets)


def _validation(predicted: Numbers, targets: Numbers) -> Validation:
    from scipy.stats import spearmanr

    errors = np.abs(predicted - targets)
    is_flat = np.ptp(targets) == 0 or np.ptp(predicted) == 0
    correlation = 0.0 if is_flat else float(spearmanr(predicted, targets).statistic)
    return Validation(len(targets), float(errors.mean()), float(np.quantile(errors, _SURE)), correlation)
