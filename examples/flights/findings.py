"""What a run of the demo found out: the material of the table and of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from examples.flights.metrics import Score


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the run: how many rows it made, in how many seconds."""

    name: str
    rows: int
    seconds: float

    @property
    def rate(self) -> str:
        """Rows a second, as it is shown; nothing for a step that found its work done."""
        return f"{self.rows / self.seconds:,.0f}" if self.seconds > 0.05 else "-"


@dataclass(frozen=True, slots=True)
class Route:
    """A way to the same predictions, compared with the training frame and batch driver bit by bit.

    compared: numbers compared (predictions, and features where the route shows them).
    """

    name: str
    rows: int
    compared: int
    differing_bits: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A training frame that is not point-in-time: the AUC it promises, and the one its model gets in use."""

    name: str
    mistake: str
    claimed: float
    obtained: float


@dataclass(frozen=True, slots=True)
class Model:
    """A model on the last two months: its scores, and its probability for each flight that arrived."""

    name: str
    score: Score
    probability: np.ndarray


@dataclass(frozen=True, slots=True)
class Day:
    """A day's flights: how many arrived, the mean predicted probability, the share that was late."""

    day: date
    flights: int
    predicted: float
    late: float


@dataclass(frozen=True, slots=True)
class Findings:
    """A whole run."""

    counts: dict[str, int]
    features: int
    steps: Sequence[Step]
    routes: Sequence[Route]
    late: np.ndarray
    models: Sequence[Model]  # ours, without window features, base rate
    days: Sequence[Day]
    importance: Sequence[tuple[str, float]]
    claims: Sequence[Claim]
