"""A step: softmax attention becomes attention whose cost grows with the length, not with its square."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from unisono.compress.context import Context
from unisono.compress.kinds import Kind
from unisono.compress.steps.base import Stage
from unisono.compress.steps.training import TrainingStep
from unisono.compress.subject import Subject


class LinearAttention(TrainingStep, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Replaces attention; each layer first learns to answer as its own did, then all learn together. No labels are used
    but those of the validation rows, to choose the epoch.

    kind:          "elu": a feature map, elu(x) + 1 (Katharopoulos et al. 2020); "performer": random features whose mean
                   is the softmax (Choromanski et al. 2021); "linformer": few keys that are mixes of many (Wang et al.
                   2020); "local_global": neighbours, and a few tokens that see all (Beltagy et al. 2020).
    causal:        nothing is seen before it has come; then "elu" and "performer" can be fed event by event. Not with
                   "linformer", whose mixes see what comes.
    features:      of a performer, for each head; None: twice the numbers of a head.
    slots:         keys of a linformer.
    positions:     tokens that a linformer can read; None: as many as the model says.
    window:        tokens to each side that are seen, of "local_global".
    global_tokens: the first ones, of "local_global".
    include:       patterns of names of attention layers.
    exclude:       the same, of layers that are left as they are.
    force:         replace them also where that makes the rows slower, which is measured.
    layer_epochs:  times that the rows are seen while each layer learns from its own original.
    epochs:        times that they are seen while all learn together, from hidden states and scores of the original.
    hidden:        weight of the hidden states in the loss, beside the scores.
    batch_rows, learning_rate, temperature, precision, rows: as of the step "recover".
    """

    NAME: ClassVar[str] = "linear_attention"
    TAKES: ClassVar[tuple[Kind, ...]] = ("torch",)
    STAGE: ClassVar[Stage] = "structure"
    LEAST_EPOCHS: ClassVar[int] = 0

    kind: Literal["elu", "performer", "linformer", "local_global"] = "elu"
    causal: bool = False
    features: int | None = None
    slots: int = 64
    positions: int | None = None
    window: int = 64
    global_tokens: int = 1
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    force: bool = False
    layer_epochs: int = 1
    epochs: int = 2
    hidden: float = 1.0
    learning_rate: float = 1e-4

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Those of a training, of settings that do not go together, and of numbers out of range."""
        yield from super().faults()
        if self.causal and self.kind == "linformer":
            yield "a causal linformer", "elu, performer, local_global", "its mixes see what comes; choose another kind"
        counts = {"features": self.features, "slots": self.slots, "positions": self.positions, "window": self.window}
        for name, count in counts.items():
            if count is not None and count < 1:
                yield f"{name} {count}", "1 or more", "correct it"
        if not 0 <= self.global_tokens <= self.window:
            yield f"global_tokens {self.global_tokens}", f"0 to {self.window}, the window", "correct it"
        if self.layer_epochs < 0 or self.hidden < 0:
            yield f"layer_epochs {self.layer_epochs}, hidden {self.hidden:g}", "0 or more", "correct them"

    def apply(self, subject: Subject, context: Context) -> Subject:
        """The module with other attention, trained.

        Raises ModelError for attention that cannot be replaced, and where replacing it makes the rows slower.
        """
        from unisono.compress.attention.replacing import replaced

        model, notes = replaced(subject.module(), self, context)
        return subject.with_torch(model).noting(self.NAME, **notes)
