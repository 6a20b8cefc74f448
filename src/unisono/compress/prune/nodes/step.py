"""A step: heads, neurons, channels and whole layers that matter least are cut out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from unisono.compress.context import Context
from unisono.compress.kinds import Kind
from unisono.compress.steps.base import Stage
from unisono.compress.steps.training import TaughtStep
from unisono.compress.subject import Subject


class PruneNodes(TaughtStep, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Makes layers narrower; the graph that is exported really has fewer nodes.

    Of a transformer like BERT: heads of its attention, and neurons of its feed-forward layers. Of another network:
    channels of convolutions and outputs of linear layers, with all that depends on them (Fang et al. 2023).

    share:      of the nodes that is gone afterwards; of heads and of neurons each. Where most go is told by how much
                they matter, in all layers together.
    importance: "taylor": how far the loss would move without a node, from its gradient on training rows (Molchanov et
                al. 2019; of heads Michel, Levy, Neubig 2019); "magnitude": how large its weights are.
    layers:     whole layers of a transformer that are dropped before: those whose absence changes the answers to
                validation rows least, one after the other.
    heads:      whether heads go.
    neurons:    whether neurons of feed-forward layers go.
    most:       share of one layer's nodes that may go.
    multiple:   nodes that stay are multiples of it, but for heads, which is quicker for processors.
    exclude:    patterns of names of layers whose nodes all stay.
    rounds:     times that nodes are taken away, ever fewer (Zhu, Gupta 2017), each followed by training.
    epochs:     of the training after each round; 0: none.
    batch_rows, learning_rate, teacher_share, temperature, precision, rows: as of the step "recover".
    seen_rows:  of the training part for gradients, and of the validation part for layers.
    """

    NAME: ClassVar[str] = "prune_nodes"
    TAKES: ClassVar[tuple[Kind, ...]] = ("torch",)
    STAGE: ClassVar[Stage] = "structure"
    LEAST_EPOCHS: ClassVar[int] = 0

    share: float = 0.3
    importance: Literal["taylor", "magnitude"] = "taylor"
    layers: int = 0
    heads: bool = True
    neurons: bool = True
    most: float = 0.75
    multiple: int = 8
    exclude: tuple[str, ...] = ()
    rounds: int = 1
    epochs: int = 0
    seen_rows: int = 256

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Those of a training, of settings that leave nothing to do, and of numbers out of range."""
        yield from super().faults()
        if not 0 <= self.share < 1 or not 0 < self.most < 1:
            yield f"share {self.share:g}, most {self.most:g}", "0 to below 1, above 0 to below 1", "correct them"
        if self.share > self.most:
            yield f"share {self.share:g} of all, and most {self.most:g}", "a share up to most", "raise most"
        if self.layers < 0 or (self.share == 0 and self.layers == 0):
            yield f"share {self.share:g}, layers {self.layers}", "one of them above 0", "say what goes"
        if min(self.multiple, self.rounds, self.seen_rows) < 1:
            seen = f"multiple {self.multiple}, rounds {self.rounds}, seen_rows {self.seen_rows}"
            yield seen, "1 or more each", "correct them"
        if self.rounds > 1 and self.epochs == 0:
            yield f"{self.rounds} rounds without training", "epochs of 1 or more", "say epochs, or take one round"

    def apply(self, subject: Subject, context: Context) -> Subject:
        """The module with fewer nodes.

        Raises ModelError for a module that cannot be made narrower, with the layer's name, a pattern that fits none,
        and a training that fails; InputError for rows with NaN.
        """
        from unisono.compress.prune.nodes.pruning import pruned

        model, notes = pruned(subject.module(), self, context)
        return subject.with_torch(model).noting(self.NAME, **notes)
