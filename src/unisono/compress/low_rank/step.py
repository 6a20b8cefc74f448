"""A step: linear layers and convolutions become two narrow ones each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import msgspec

from unisono.compress.context import Context
from unisono.compress.kinds import Kind
from unisono.compress.steps.base import Stage, Step, Use
from unisono.compress.subject import Subject
from unisono.spec.wording import listing


class LowRank(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Makes two layers of one, of a rank that is chosen for each.

    method:       "whitened": the best of a rank for the rows that were seen; "svd": for the weights alone.
    convolutions: "channel": fewer channels, then 1 x 1; "spatial": k x 1, then 1 x k; "separable": one in each channel,
                  then 1 x 1, where the rank is the kernels of a channel; "leave": as they are.
    keep:         share of the parameters of the chosen layers that stays; a half, if nothing else is said.
    size_bytes:   of all parameters of the module afterwards, in float32.
    speedup:      times as fast as now that the chosen layers are together, one row, by onnxruntime, measured here.
    ranks:        pattern of names -> rank; without keep, size_bytes or speedup, no other layers are touched.
    allocation:   "measured": ranks are where the answers suffer most from what is lost; "energy": where most energy
                  would be lost; "equal": each layer keeps the same share.
    multiple:     ranks are multiples of it, which is quicker for a processor with wide registers.
    include:      patterns of names of layers.
    exclude:      the same, of layers that are left as they are.
    rows:         of the training part that are looked at, and of the validation part that are asked.
    """

    NAME: ClassVar[str] = "low_rank"
    TAKES: ClassVar[tuple[Kind, ...]] = ("torch",)
    STAGE: ClassVar[Stage] = "structure"
    USES: ClassVar[Use] = "calibration"

    method: Literal["whitened", "svd"] = "whitened"
    convolutions: Literal["channel", "spatial", "separable", "leave"] = "channel"
    keep: float | None = None
    size_bytes: int | None = None
    speedup: float | None = None
    ranks: dict[str, int] = msgspec.field(default_factory=dict)
    allocation: Literal["measured", "energy", "equal"] = "measured"
    multiple: int = 16
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    rows: int = 256

    @property
    def budgets(self) -> dict[str, float]:
        """What is asked of all layers together, by name."""
        named = {"keep": self.keep, "size_bytes": self.size_bytes, "speedup": self.speedup}
        return {name: float(value) for name, value in named.items() if value is not None}

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Of budgets that exclude each other, and of numbers out of range."""
        if len(self.budgets) > 1:
            yield f"{listing(self.budgets)} together", "one of them", "leave the others out"
        if self.keep is not None and not 0 < self.keep < 1:
            yield f"keep {self.keep:g}", "above 0, below 1", "say which share of the parameters stays"
        if self.size_bytes is not None and self.size_bytes < 1:
            yield f"size_bytes {self.size_bytes}", "1 or more", "say how large the parameters may be"
        if self.speedup is not None and self.speedup <= 1:
            yield f"speedup {self.speedup:g}", "above 1", "say how many times as fast the layers shall be"
        if self.multiple < 1 or self.rows < 1 or any(rank < 1 for rank in self.ranks.values()):
            low = min(self.multiple, self.rows, *self.ranks.values()) if self.ranks else min(self.multiple, self.rows)
            yield f"multiple, rows or a rank of {low}", "1 or more", "correct it"

    def apply(self, subject: Subject, context: Context) -> Subject:
        """The module with two layers for one, where that saves something.

        Raises ModelError for a rank that saves nothing, a pattern that fits no layer, and a budget that is out of
        reach; InputError for rows with NaN.
        """
        from unisono.compress.low_rank.factorising import factorised

        model, notes = factorised(subject.module(), self, context)
        return subject.with_torch(model).noting(self.NAME, **notes)
