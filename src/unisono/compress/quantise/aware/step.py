"""A step: training that sees weights and activations as they will be in 8 bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from unisono.compress.context import Context
from unisono.compress.kinds import Kind
from unisono.compress.modules.recover import Recover
from unisono.compress.steps.base import Stage, Step, Use
from unisono.compress.subject import Subject


class QuantiseAware(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Trains a module so that it bears rounding; `quantise` comes after it, and rounds.

    Layers compute with weights and rows rounded to the grids of `quantise` with mode "dynamic"; gradients go through
    the rounding as if it were not there (the straight-through estimator; Jacob et al. 2018).

    epochs, batch_rows, learning_rate, teacher_share, temperature, precision, rows: see `recover`.
    portable: whether weights will have 7 bits, as with `quantise`.
    per:      a scale for each "channel" of the weights, or one for the "tensor".
    """

    NAME: ClassVar[str] = "quantise_aware"
    TAKES: ClassVar[tuple[Kind, ...]] = ("torch",)
    STAGE: ClassVar[Stage] = "bits"
    USES: ClassVar[Use] = "training"

    epochs: int = 1
    batch_rows: int = 32
    learning_rate: float = 2e-5
    teacher_share: float = 0.9
    temperature: float = 2.0
    precision: Literal["float32", "bfloat16"] = "float32"
    rows: int | None = None
    portable: bool = True
    per: Literal["channel", "tensor"] = "channel"

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Those of a training."""
        return Recover(
            epochs=self.epochs,
            batch_rows=self.batch_rows,
            learning_rate=self.learning_rate,
            teacher_share=self.teacher_share,
            temperature=self.temperature,
        ).faults()

    def apply(self, subject: Subject, context: Context) -> Subject:
        """The module, trained; its weights are floats still.

        Raises ModelError for a module without linear layers or convolutions, and if the loss is no number any more.
        """
        from unisono.compress.modules.recovery import recovered
        from unisono.compress.quantise.aware.rounding import layers_to_round, rounding

        layers = layers_to_round(subject.module().module)
        watching = rounding(layers.chosen, self)
        trained = recovered(subject.module(), context, self, what="learning to be rounded", watching=watching)
        notes = {"layers": len(layers.chosen), "left_alone": dict(layers.left_alone)}
        return subject.with_torch(trained).noting(self.NAME, **notes)
