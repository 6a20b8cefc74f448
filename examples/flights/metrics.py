"""How good probabilities are: AUC, Brier score, ROC, calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Score:
    """auc: chance that a late flight gets the higher probability. brier: mean squared error of the probability."""

    auc: float
    brier: float


def score(late: np.ndarray, probability: np.ndarray) -> Score:
    """Both scores.

    >>> score(np.array([False, True, True, False]), np.array([0.1, 0.9, 0.5, 0.5]))
    Score(auc=0.875, brier=0.13)
    """
    return Score(_auc(late, probability), float(np.round(np.mean((probability - late) ** 2), 12)))


def _auc(late: np.ndarray, probability: np.ndarray) -> float:
    """Mann and Whitney's statistic: ranks, ties sharing theirs."""
    _, group, size = np.unique(probability, return_inverse=True, return_counts=True)
    rank = np.cumsum(size) - (size - 1) / 2
    positives = int(late.sum())
    total = rank[group][late].sum() - positives * (positives + 1) / 2
    return float(total / (positives * (late.size - positives)))


def roc(late: np.ndarray, probability: np.ndarray, points: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Share of punctual flights called late, and of late flights called late, as the threshold falls."""
    order = np.argsort(-probability, kind="stable")
    hits = np.concatenate([[0], np.cumsum(late[order])])
    misses = np.arange(late.size + 1) - hits
    at = np.linspace(0, late.size, points).astype(int)
    return misses[at] / misses[-1], hits[at] / hits[-1]


@dataclass(frozen=True, slots=True)
class Bin:
    """Flights of similar probability: how many, its mean, the share that was late, the 95 % interval of that share."""

    count: int
    predicted: float
    observed: float
    low: float
    high: float


def calibration(late: np.ndarray, probability: np.ndarray, bins: int = 20) -> list[Bin]:
    """Bins of equal size, by rising probability."""
    order = np.argsort(probability, kind="stable")
    return [_bin(late[part], probability[part]) for part in np.array_split(order, bins)]


def _bin(late: np.ndarray, probability: np.ndarray) -> Bin:
    """Wilson's interval: right near 0 and 1 too."""
    n, share, z = late.size, float(late.mean()), 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Bin(n, float(probability.mean()), share, float(middle - half), float(middle + half))
