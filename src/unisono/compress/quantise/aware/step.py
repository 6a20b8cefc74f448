"""A step: training that sees weights and activations as they will be in 8 bits."""

from __future__ import annotations

from typing import ClassVar, Literal

from unisono.compress.context import Context
from unisono.compress.kinds import Kind
from unisono.compress.steps.base import Stage
from unisono.compress.steps.training import TaughtStep
from unisono.compress.subject import Subject


class QuantiseAware(TaughtStep, frozen=True, kw_only=True, forbid_unknown_fields=True):
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

    epochs: int = 1
    learning_rate: float = 2e-5
    teacher_share: float = 0.9
    portable: bool = True
    per: Literal["channel", "tensor"] = "channel"

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
