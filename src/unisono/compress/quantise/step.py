"""A step: products of a graph in whole numbers of 8 bits, or its weights in fewer bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from unisono.compress.context import Context
from unisono.compress.kinds import Kind
from unisono.compress.steps.base import Stage, Step, Use
from unisono.compress.subject import Subject

_BITS = (4, 8)


class Quantise(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Multiplies in 8 bits, or stores weights in fewer.

    mode:        "dynamic": what a product is given is scaled row by row, as it comes; "static": by ranges that were
                 seen in rows of the training part, which is quicker; "weights": only weights are stored in fewer bits,
                 and floats are multiplied, which is smaller and no quicker.
    portable:    whether every machine gives the same bits: weights keep 7 bits, which no processor saturates, and what
                 is not a product is computed by operators whose rounding is fixed. Without it weights keep 8 bits, and
                 the rest stays as it is, which is quicker. "weights" cannot be portable.
    bits:        of a weight: 8, or with the mode "weights" 4.
    per:         a scale for each "channel" of the weights, or one for the "tensor".
    calibration: with the mode "static", the range that is kept: "minmax": all that was seen; "percentile"; "mse": the
                 one with the least squared error.
    percentile:  of the absolute values, for the calibration by percentile.
    embeddings:  whether tables of embeddings are stored in 8 bits.
    leave_out:   so many products that change the answers most on validation rows are left out: computed in about 15
                 bits where it is portable, else in floats.
    rows:        of the training part for ranges, and of the validation part for what to leave out.
    """

    NAME: ClassVar[str] = "quantise"
    TAKES: ClassVar[tuple[Kind, ...]] = ("graph",)
    STAGE: ClassVar[Stage] = "bits"
    USES: ClassVar[Use] = "calibration"

    mode: Literal["dynamic", "static", "weights"] = "dynamic"
    portable: bool = True
    bits: int = 8
    per: Literal["channel", "tensor"] = "channel"
    calibration: Literal["minmax", "percentile", "mse"] = "mse"
    percentile: float = 99.99
    embeddings: bool = True
    leave_out: int = 0
    rows: int = 128

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Of settings that exclude each other, and of numbers out of range."""
        if self.bits not in _BITS:
            yield f"bits {self.bits}", "8, or 4 with mode weights", "correct it"
        if self.bits == 4 and self.mode != "weights":
            yield f"bits 4 with mode {self.mode}", "8", "say mode = weights, which keeps weights in 4 bits"
        if self.mode == "weights" and self.portable:
            yield (
                "mode weights, and portable",
                "portable = false, since floats are multiplied, which machines add up in other orders",
                "say portable = false, or another mode",
            )
        if not 50 < self.percentile <= 100:
            yield f"percentile {self.percentile:g}", "above 50, up to 100", "correct it"
        if self.rows < 1 or self.leave_out < 0:
            yield f"rows {self.rows}, leave_out {self.leave_out}", "1 or more, 0 or more", "correct it"

    def apply(self, subject: Subject, context: Context) -> Subject:
        """The graph with products in 8 bits.

        Raises ModelError for a graph that has none, or is quantised already; InputError for rows with NaN,
        and for no rows.
        """
        from unisono.compress.quantise.quantising import quantised

        model, notes = quantised(subject.imported(), self, context)
        return subject.with_graph(model).noting(self.NAME, **notes)
