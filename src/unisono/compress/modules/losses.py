"""How wrong scores are: against labels, and against a teacher."""

from __future__ import annotations

import torch
from torch.nn import functional


def label_loss(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Against what is right.

    scores:  rows x classes, or rows x 1 of a regression.
    targets: the place of the right class (int64), or the right number.
    """
    if targets.is_floating_point():
        return functional.mse_loss(scores[:, 0], targets.to(scores.dtype))
    return functional.cross_entropy(scores, targets)


def teacher_loss(scores: torch.Tensor, taught: torch.Tensor, temperature: float) -> torch.Tensor:
    """Against the scores of a teacher: the divergence of softened probabilities, times the temperature squared.

    The square keeps the size of the gradient (Hinton, Vinyals, Dean 2015). Of a regression: the squared error.

    scores, taught: rows x classes, or rows x 1.
    """
    if scores.shape[1] == 1:
        return functional.mse_loss(scores, taught)
    soft = functional.log_softmax(scores / temperature, dim=1)
    wanted = functional.log_softmax(taught / temperature, dim=1)
    return functional.kl_div(soft, wanted, log_target=True, reduction="batchmean") * temperature**2
