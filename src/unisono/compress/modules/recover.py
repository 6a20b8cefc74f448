"""A step: more training of what the steps before left, with the original as the teacher."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from unisono.compress.context import Context
from unisono.compress.kinds import Kind
from unisono.compress.steps.base import Stage, Step, Use
from unisono.compress.subject import Subject


class Recover(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Trains a module on labels and on the scores of the original; weights that are zero stay zero.

    epochs, batch_rows, learning_rate, teacher_share, temperature, precision: see `Training`.
    rows: that are learnt from, drawn by the recipe's seed; None: all.
    """

    NAME: ClassVar[str] = "recover"
    TAKES: ClassVar[tuple[Kind, ...]] = ("torch",)
    STAGE: ClassVar[Stage] = "recovery"
    USES: ClassVar[Use] = "training"

    epochs: int = 3
    batch_rows: int = 32
    learning_rate: float = 5e-5
    teacher_share: float = 0.5
    temperature: float = 2.0
    precision: Literal["float32", "bfloat16"] = "float32"
    rows: int | None = None

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Of numbers that train nothing."""
        if self.epochs < 1 or self.batch_rows < 1 or self.learning_rate <= 0:
            yield (
                f"epochs {self.epochs}, batch_rows {self.batch_rows}, learning_rate {self.learning_rate:g}",
                "1 or more, 1 or more, above 0",
                "correct them, or leave the step out",
            )
        if not 0 <= self.teacher_share <= 1 or self.temperature <= 0:
            yield (
                f"teacher_share {self.teacher_share:g}, temperature {self.temperature:g}",
                "0 to 1, above 0",
                "correct them",
            )

    def apply(self, subject: Subject, context: Context) -> Subject:
        """The module, trained. Raises ModelError if its loss is no number any more."""
        from unisono.compress.modules.recovery import recovered

        return subject.with_torch(recovered(subject.module(), context, self))
