"""A step: an ensemble of trees asks fewer questions, and its leaves are fitted again to make up for that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from unisono.compress.context import Context
from unisono.compress.kinds import Kind
from unisono.compress.steps.base import Stage, Step, Use
from unisono.compress.subject import Subject


class PruneTrees(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Leaves are merged, and trees that ask nothing more go; what is left is fitted again, all trees together.

    keep:          share of the splits that stay; "chosen": as few as `lost` allows, by the validation rows.
    lost:          with "chosen": share of what the original explains of the validation rows (its loss against that of
                   a constant) that may be lost.
    teacher_share: of what the original says in what is learnt, 0 to 1; the labels are the rest. The trees have seen
                   these labels: fitted to them once more, they soon know them by heart.
    ridge:         what pulls each leaf towards zero, as a share of the loss's curvature over all rows, which is what a
                   leaf has that all rows end in; more for noisier labels. "chosen": by the validation rows, which takes
                   three times as long.
    rows:          of the training rows at most so many are used, drawn by the seed.
    """

    NAME: ClassVar[str] = "prune_trees"
    TAKES: ClassVar[tuple[Kind, ...]] = ("ensemble",)
    STAGE: ClassVar[Stage] = "structure"
    USES: ClassVar[Use] = "training"

    keep: float | Literal["chosen"] = "chosen"
    lost: float = 0.01
    teacher_share: float = 1.0
    ridge: float | Literal["chosen"] = "chosen"
    rows: int = 100_000

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Of numbers out of their range."""
        if self.keep != "chosen" and not 0 < self.keep < 1:
            yield f"keep {self.keep:g}", 'above 0 and below 1, or "chosen"', "correct it"
        if not 0 <= self.lost < 1:
            yield f"lost {self.lost:g}", "0 or more, below 1", "correct it"
        if not 0 <= self.teacher_share <= 1:
            yield f"teacher_share {self.teacher_share:g}", "0 to 1", "correct it"
        if self.ridge != "chosen" and self.ridge < 0:
            yield f"ridge {self.ridge:g}", '0 or more, or "chosen"', "correct it"
        if self.rows < 1:
            yield f"rows {self.rows}", "1 or more", "correct it"

    def apply(self, subject: Subject, context: Context) -> Subject:
        """The model with fewer splits, as one of LightGBM's.

        Raises ModelError for a model that does not add up trees, and if nothing can go within `lost`.
        """
        from unisono.compress.prune.trees.ensembles import pruned

        return pruned(subject, context, self)
