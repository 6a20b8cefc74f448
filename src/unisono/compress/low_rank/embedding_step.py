"""A step: tables of embeddings become narrow, with one matrix that widens what is looked up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from unisono.compress.context import Context
from unisono.compress.kinds import Kind
from unisono.compress.steps.base import Stage, Step, Use
from unisono.compress.subject import Subject


class LowRankEmbedding(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Makes of a table of embeddings a narrow table and a matrix (Lan et al.: ALBERT, 2020).

    The directions that stay are the best for the entries that the training rows look up, as often as they do so; an
    entry that no row looks up counts as if one had, once.

    rank:    numbers of an entry of the narrow table.
    fewest:  entries of a table; smaller ones are left as they are.
    rows:    of the training part, by which entries are counted.
    include: patterns of names of tables.
    exclude: the same, of tables that are left as they are.
    """

    NAME: ClassVar[str] = "low_rank_embedding"
    TAKES: ClassVar[tuple[Kind, ...]] = ("torch",)
    STAGE: ClassVar[Stage] = "structure"
    USES: ClassVar[Use] = "calibration"

    rank: int = 128
    fewest: int = 1000
    rows: int = 2048
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Of a rank that is none."""
        if self.rank < 1 or self.rows < 1:
            yield f"rank {self.rank}, rows {self.rows}", "1 or more", "correct them"

    def apply(self, subject: Subject, context: Context) -> Subject:
        """The module with narrow tables. Raises ModelError for a rank that saves nothing, and if there is no table."""
        from unisono.compress.low_rank.embeddings import narrowed

        model, notes = narrowed(subject.module(), self, context)
        return subject.with_torch(model).noting(self.NAME, **notes)
