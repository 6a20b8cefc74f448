"""A step: tensors with many zeros are stored packed, and unpacked when the graph is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from unisono.compress.context import Context
from unisono.compress.kinds import Kind
from unisono.compress.steps.base import Stage, Step, Use
from unisono.compress.subject import Subject


class Sparse(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stores what is not zero, and a byte each for how far it is from the one before.

    Plain operators of ONNX put them back into place. They depend on constants alone, so a runtime computes them once,
    while it loads the graph; from then on it has the same tensors as without this step, and is neither quicker nor
    slower. The answers have the same bits.

    saving: share of its bytes that a tensor has to save; others stay as they are.
    """

    NAME: ClassVar[str] = "sparse"
    TAKES: ClassVar[tuple[Kind, ...]] = ("graph",)
    STAGE: ClassVar[Stage] = "storage"
    USES: ClassVar[Use] = "nothing"

    saving: float = 0.1

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Of a share that is none."""
        if not 0 <= self.saving < 1:
            yield f"saving {self.saving:g}", "0 to below 1", "correct it"

    def apply(self, subject: Subject, context: Context) -> Subject:
        """The graph with packed tensors. Raises ModelError if none gets smaller."""
        from unisono.compress.prune.weights.packing import packed

        model, notes = packed(subject.imported(), self.saving, context)
        return subject.with_graph(model).noting(self.NAME, **notes)
