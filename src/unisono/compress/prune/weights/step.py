"""A step: weights that matter least become zero."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from unisono.compress.context import Context
from unisono.compress.kinds import Kind
from unisono.compress.steps.base import Stage
from unisono.compress.steps.training import TaughtStep
from unisono.compress.subject import Subject

_SHARE_OF_PATTERN = 0.5


class PruneWeights(TaughtStep, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sets weights of linear layers, convolutions and tables of embeddings to zero; whatever trains later keeps that.

    share:      of these weights that is zero afterwards.
    method:     "magnitude": the smallest go (Han et al. 2015); "wanda": the smallest, times how large what they are
                multiplied by is in rows of the training part (Sun et al. 2023), of a table: times how often an entry
                is looked up; "movement": those that training moves towards zero (Sanh, Wolf, Rush 2020), of tables the
                smallest.
    scope:      "global": all layers are compared, after each weight is divided by those of its layer that stay if it
                does, which empties no layer (LAMP; Lee et al. 2021); "layer": each loses the same share; "row": each
                row of a matrix does.
    pattern:    "any"; "2:4": two of four neighbours go, and the share is 0.5.
    embeddings: whether tables of embeddings lose weights, too.
    include:    patterns of names of layers.
    exclude:    the same, of layers that are left as they are.
    fewest:     weights that a layer must have; smaller ones are left as they are.
    rounds:     times that weights are taken away, ever fewer (Zhu, Gupta 2017), each followed by training.
    epochs:     of the training after each round; 0: none.
    batch_rows, learning_rate, teacher_share, temperature, precision, rows: as of the step "recover".
    seen_rows:  of the training part that "wanda" looks at.
    """

    NAME: ClassVar[str] = "prune_weights"
    TAKES: ClassVar[tuple[Kind, ...]] = ("torch",)
    STAGE: ClassVar[Stage] = "weights"
    LEAST_EPOCHS: ClassVar[int] = 0

    share: float = 0.8
    method: Literal["magnitude", "wanda", "movement"] = "wanda"
    scope: Literal["global", "layer", "row"] = "global"
    pattern: Literal["any", "2:4"] = "any"
    embeddings: bool = True
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    fewest: int = 1024
    rounds: int = 1
    epochs: int = 0
    seen_rows: int = 256

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Those of a training, of settings that exclude each other, and of numbers out of range."""
        yield from super().faults()
        if not 0 < self.share < 1:
            yield f"share {self.share:g}", "above 0, below 1", "say which share of the weights goes"
        if self.pattern == "2:4" and self.share != _SHARE_OF_PATTERN:
            yield f"share {self.share:g} with the pattern 2:4", "0.5", "say share = 0.5"
        if min(self.rounds, self.seen_rows, self.fewest) < 1:
            seen = f"rounds {self.rounds}, seen_rows {self.seen_rows}, fewest {self.fewest}"
            yield seen, "1 or more each", "correct them"
        if self.epochs == 0 and (self.rounds > 1 or self.method == "movement"):
            seen = f"method {self.method} in {self.rounds} rounds without training"
            yield seen, "epochs of 1 or more", "say epochs, or take one round of another method"

    def apply(self, subject: Subject, context: Context) -> Subject:
        """The module with zeros.

        Raises ModelError for a pattern of names that fits no layer, for no layer that can lose weights, and for a
        training that fails; InputError for rows with NaN.
        """
        from unisono.compress.prune.weights.pruning import pruned

        model, notes = pruned(subject.module(), self, context)
        return subject.with_torch(model).noting(self.NAME, **notes)
