"""A step: a transformer in whole numbers from its token ids, or its pixels, to its scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from unisono.compress.context import Context
from unisono.compress.kinds import Kind
from unisono.compress.steps.base import Stage, Step, Use
from unisono.compress.subject import Subject

FEWEST_ROWS = 8
"""Rows that ranges can be seen in."""


class Integer(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Computes a BERT, DistilBERT or ViT without one float: the same bits on every machine, a quarter of the bytes.

    mode:        the functions of softmax and GELU: "ibert": polynomials (Kim et al. 2021); "shift": shifts and
                 additions (Li and Gu 2023), as tables.
    calibration: the range that is kept of what rows of the training part show: "minmax": all of it; "percentile";
                 "mse": the one with the least squared error; "best": each is tried, and the one whose scores are
                 nearest to the floats' on rows of the validation part is taken.
    percentile:  of a column's numbers are kept, in the middle, for the calibration by percentile.
    rows:        of the training part to see ranges in, and of the validation part to choose by.
    """

    NAME: ClassVar[str] = "integer"
    TAKES: ClassVar[tuple[Kind, ...]] = ("torch",)
    STAGE: ClassVar[Stage] = "bits"
    USES: ClassVar[Use] = "calibration"

    mode: Literal["ibert", "shift"] = "ibert"
    calibration: Literal["best", "minmax", "percentile", "mse"] = "best"
    percentile: float = 99.99
    rows: int = 128

    def gives(self, kind: Kind) -> Kind:
        """A graph."""
        return "graph"

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Of numbers out of range."""
        if not 50 < self.percentile <= 100:
            yield f"percentile {self.percentile:g}", "above 50, up to 100", "correct it"
        if self.rows < FEWEST_ROWS:
            yield f"rows {self.rows}", f"{FEWEST_ROWS} or more", "take 128: ranges of a few rows are those of no others"

    def apply(self, subject: Subject, context: Context) -> Subject:
        """The graph in whole numbers.

        Raises ModelError that names a layer which is of another kind, or whose numbers cannot be shown to fit their
        types; InputError for fewer rows than can be calibrated by.
        """
        from unisono.compress.integer.converting import converted

        model, notes = converted(subject.module(), self, context)
        return subject.with_graph(model).noting(self.NAME, **notes)
