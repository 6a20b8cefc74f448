"""A step: more training of what the steps before left, with the original as the teacher."""

from __future__ import annotations

from typing import ClassVar

from unisono.compress.context import Context
from unisono.compress.kinds import Kind
from unisono.compress.steps.base import Stage
from unisono.compress.steps.training import TaughtStep
from unisono.compress.subject import Subject


class Recover(TaughtStep, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Trains a module on labels and on the scores of the original; weights that are zero stay zero.

    epochs, batch_rows, learning_rate, teacher_share, temperature, precision, rows: see `TaughtStep`.
    """

    NAME: ClassVar[str] = "recover"
    TAKES: ClassVar[tuple[Kind, ...]] = ("torch",)
    STAGE: ClassVar[Stage] = "recovery"

    def apply(self, subject: Subject, context: Context) -> Subject:
        """The module, trained. Raises ModelError if its loss is no number any more."""
        from unisono.compress.modules.recovery import recovered

        return subject.with_torch(recovered(subject.module(), context, self))
