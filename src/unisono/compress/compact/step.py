"""A step: convolutions become compact blocks, which learn from what they replace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from unisono.compress.context import Context
from unisono.compress.kinds import Kind
from unisono.compress.steps.base import Stage
from unisono.compress.steps.training import TaughtStep
from unisono.compress.subject import Subject


class Compact(TaughtStep, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Replaces convolutions; each block first learns to answer as its convolution did, then all learn together.

    block:         "fire": few channels by 1 x 1, then many by 1 x 1 and 3 x 3 side by side (SqueezeNet; Iandola et al.
                   2016); "separable": 3 x 3 in each channel, then 1 x 1 (MobileNet; Howard et al. 2017); "inverted":
                   more channels by 1 x 1, 3 x 3 in each, fewer by 1 x 1, past which the input goes where it fits
                   (MobileNetV2; Sandler et al. 2018).
    squeeze:       of a fire block: its few channels, as a share of its many.
    wide:          of a fire block: share of the many that see 3 x 3.
    expansion:     of an inverted block: its more channels, for each channel that it is given.
    head:          "pool": all linear layers at the end become one, which sees the mean of each channel, as in
                   SqueezeNet; they hold most of the parameters of networks such as AlexNet. "keep": they stay.
    include:       patterns of names of convolutions.
    exclude:       the same, of convolutions that are left as they are.
    block_epochs:  times that the rows are seen while each block learns from its convolution.
    epochs:        times that they are seen while all learn together.
    batch_rows, learning_rate, teacher_share, temperature, precision, rows: as of the step "recover".
    """

    NAME: ClassVar[str] = "compact"
    TAKES: ClassVar[tuple[Kind, ...]] = ("torch",)
    STAGE: ClassVar[Stage] = "structure"
    LEAST_BATCH_ROWS: ClassVar[int] = 2

    block: Literal["fire", "separable", "inverted"] = "fire"
    squeeze: float = 0.125
    wide: float = 0.5
    expansion: float = 2.0
    head: Literal["keep", "pool"] = "keep"
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    block_epochs: int = 1
    epochs: int = 5
    learning_rate: float = 3e-3

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Those of a training, and of shares that are none."""
        yield from super().faults()
        for name, share in (("squeeze", self.squeeze), ("wide", self.wide)):
            if not 0 < share < 1:
                yield f"{name} {share:g}", "above 0, below 1", "correct it"
        if self.expansion < 1:
            yield f"expansion {self.expansion:g}", "1 or more", "correct it"
        if self.block_epochs < 0:
            yield f"block_epochs {self.block_epochs}", "0 or more", "correct it"

    def apply(self, subject: Subject, context: Context) -> Subject:
        """The module with blocks, trained.

        Raises ModelError if no convolution can be replaced, or the head cannot be pooled.
        """
        from unisono.compress.compact.compacting import compacted

        model, notes = compacted(subject.module(), self, context)
        return subject.with_torch(model).noting(self.NAME, **notes)
