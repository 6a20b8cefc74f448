"""How warm the teacher is heard, and how loud: a few mixtures are tried, and the validation rows choose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from unisono.compress.data import Data

TEMPERATURES = (1.0, 2.0, 4.0)
SHARES = (0.5, 0.9)
"""What is tried where a recipe says "chosen"."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """How labels and teacher are learnt together.

    temperature:   that softens the teacher's probabilities.
    teacher_share: of the teacher's part in the loss, 0 to 1.
    """

    temperature: float
    teacher_share: float

    def document(self) -> dict[str, float]:
        """For the report."""
        return {"temperature": self.temperature, "teacher_share": self.teacher_share}


def mixtures(temperature: float | str, teacher_share: float | str, *, has_classes: bool) -> list[Mixture]:
    """What is to be tried; one if both are settled. A regression has no temperature.

    >>> mixtures("chosen", 0.9, has_classes=False)
    [Mixture(temperature=1.0, teacher_share=0.9)]
    """
    warm = TEMPERATURES if isinstance(temperature, str) else (temperature,)
    loud = SHARES if isinstance(teacher_share, str) else (teacher_share,)
    return [Mixture(*pair) for pair in product(warm if has_classes else (1.0,), loud)]


def least(choices: Sequence[Mixture], loss_of: Callable[[Mixture], float]) -> tuple[Mixture, list[float]]:
    """The choice with the least loss, the first of equals, and the loss of each. One alone is not tried."""
    if len(choices) == 1:
        return choices[0], []
    losses = [loss_of(one) for one in choices]
    return choices[int(np.argmin(losses))], losses


def validation_loss(scores: NDArray[np.float32], data: Data) -> float:
    """How wrong scores of the validation rows are: the mean cross-entropy, or the mean squared error."""
    targets = data.targets(data.validation)
    if not data.classes:
        return float(np.mean((scores[:, 0] - targets) ** 2))
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    said = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -float(said[np.arange(len(targets)), targets].mean())
