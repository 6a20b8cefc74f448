"""What steps that train have in common: their settings, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from unisono.compress.steps.base import Step, Use


class TrainingStep(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step that trains a module, with the original as the teacher.

    epochs, batch_rows, learning_rate, temperature, precision: see `Training`.
    rows: that are learnt from, drawn by the recipe's seed; None: all.

    LEAST_EPOCHS, LEAST_BATCH_ROWS: with which it can train.
    """

    USES: ClassVar[Use] = "training"
    LEAST_EPOCHS: ClassVar[int] = 1
    LEAST_BATCH_ROWS: ClassVar[int] = 1

    epochs: int = 3
    batch_rows: int = 32
    learning_rate: float = 5e-5
    temperature: float = 2.0
    precision: Literal["float32", "bfloat16"] = "float32"
    rows: int | None = None

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Of numbers that train nothing."""
        least = {"epochs": self.LEAST_EPOCHS, "batch_rows": self.LEAST_BATCH_ROWS, "rows": 1}
        for name, fewest in least.items():
            count = getattr(self, name)
            if count is not None and count < fewest:
                yield f"{name} {count}", f"{fewest} or more", "correct it"
        for name in ("learning_rate", "temperature"):
            if not getattr(self, name) > 0:
                yield f"{name} {getattr(self, name):g}", "above 0", "correct it"


class TaughtStep(TrainingStep, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One that learns from labels, too.

    teacher_share: see `Training`.
    """

    teacher_share: float = 0.5

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Those of a training, and of a share that is none."""
        yield from super().faults()
        if not 0 <= self.teacher_share <= 1:
            yield f"teacher_share {self.teacher_share:g}", "0 to 1", "correct it"
