"""What a student that is no module learns from: the share of each class in each row, said in weighted rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LIGHTEST = 1e-3  # of a weight that still counts


@dataclass(frozen=True, slots=True)
class Weighted:
    """Rows with labels and weights.

    rows:    places in the frame; a place comes once a class that is possible there.
    targets: the place of a class, or a number.
    weights: how much the row counts, above 0.
    """

    rows: NDArray[np.int64]
    targets: NDArray[Any]
    weights: NDArray[np.float64]


def softened(scores: NDArray[np.float32], temperature: float) -> NDArray[np.float64]:
    """Probabilities of scores, rows x classes, at a temperature (Hinton, Vinyals, Dean 2015).

    >>> softened(np.array([[0.0, 2.0]], np.float32), 2.0).round(2).tolist()
    [[0.27, 0.73]]
    """
    scaled = scores.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def mixed(
    scores: NDArray[np.float32], targets: NDArray[Any], *, teacher_share: float, temperature: float
) -> NDArray[np.float64]:
    """The share of each class in each row, rows x classes; of a regression the number to learn, rows x 1.

    scores:  the teacher's.
    targets: what is right, as `Data.targets` says; -1 or NaN where nobody knows: there the teacher alone is heard.
    """
    numbers = scores.shape[1] == 1
    taught = scores.astype(np.float64) if numbers else softened(scores, temperature)
    known = ~np.isnan(targets) if numbers else targets >= 0
    labels = np.zeros_like(taught)
    if numbers:
        labels[known, 0] = targets[known]
    else:
        labels[np.flatnonzero(known), targets[known]] = 1.0
    share = np.where(known, teacher_share, 1.0)[:, np.newaxis]
    mixture: NDArray[np.float64] = share * taught + (1 - share) * labels
    return mixture


def weighted(shares: NDArray[np.float64]) -> Weighted:
    """Shares of classes as rows that any classifier with weights can learn from: each row once a class.

    The loss is the cross-entropy against the shares to the last term, and so are its gradients; the student remains a
    classifier of its library. Classes of less than 0.1 % are left out.
    """
    if shares.shape[1] == 1:
        return Weighted(np.arange(len(shares)), shares[:, 0], np.ones(len(shares)))
    rows, classes = np.nonzero(shares >= _LIGHTEST)
    return Weighted(rows, classes, shares[rows, classes])
