"""The parts of a run: rows in, features on the way, answers out, on all cores and in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.connect.files import as_declared
from unisono.connect.tables import Span, StoredRows
from unisono.drivers.batch.contestants import Contestant, answers_of, features_of
from unisono.drivers.batch.known import KnownKeys
from unisono.drivers.batch.staging import Staging
from unisono.features.answers import Matrix
from unisono.features.canonical import canonical
from unisono.features.numbers import refuse_nulls
from unisono.spec.progress import Progress
from unisono.spec.types import DType

BLOCK_BYTES = 1 << 27
"""Of feature rows that are in memory at once. A block of rows costs one pass over the events."""

Features = Mapping[str, Matrix]


@dataclass(frozen=True)
class Parts:
    """Makes the parts of one run.

    table:       the source.
    contestants: who answers.
    declared:    dtypes of its columns that are declared and needed.
    columns:     that the result has too.
    known:       which rows the sink has; None: every row is wanted.
    staging:     where parts are kept.
    cores:       parts made at once.
    """

    table: StoredRows
    contestants: Sequence[Contestant]
    declared: Mapping[str, DType]
    columns: Sequence[str]
    known: KnownKeys | None
    staging: Staging
    cores: int

    def schema(self, span: Span) -> pl.Schema:
        """What the result looks like: of no row of the first span."""
        none = Span(span.number, span.path, 0, 0)
        frame = next(self.table.read([none], self._needed))
        features = {one.name: np.empty((0, len(one.ready.feature_names))) for one in self.contestants}
        return self._answered(none, frame, features).schema

    def make(self, spans: Sequence[Span], progress: Progress) -> int:
        """Make the parts that are not there yet; returns how many were."""
        missing = [span for span in spans if not self.staging.part(span.number).is_file()]
        done = sum(span.rows for span in spans) - sum(span.rows for span in missing)
        progress("predicting", done, self.table.rows)
        with ThreadPoolExecutor(self.cores) as pool:  # the engine and the decoders let go of the interpreter's lock
            waiting: deque[tuple[Span, Future[None]]] = deque()
            try:
                for span, frame, features in self._inputs(missing):
                    waiting.append((span, pool.submit(self._finish, span, frame, features)))
                    while len(waiting) > self.cores:
                        done += _finished(waiting)
                        progress("predicting", done, self.table.rows)
                while waiting:
                    done += _finished(waiting)
                    progress("predicting", done, self.table.rows)
            finally:
                pool.shutdown(cancel_futures=True)
        return len(spans) - len(missing)

    def _inputs(self, spans: Sequence[Span]) -> Iterator[tuple[Span, pl.DataFrame, Features]]:
        for block in self._blocks(spans):
            features = self._block_features(block)
            yield from zip(block, self.table.read(block, self._needed), features, strict=True)

    def _blocks(self, spans: Sequence[Span]) -> Iterator[list[Span]]:
        """Spans whose features fit into memory together."""
        wide = sum(len(one.ready.feature_names) for one in self.contestants)
        limit = BLOCK_BYTES // (8 * wide) if wide else None
        block: list[Span] = []
        rows = 0
        for span in spans:
            if block and limit is not None and rows + span.rows > limit:
                yield block
                block, rows = [], 0
            block.append(span)
            rows += span.rows
        if block:
            yield block

    def _block_features(self, block: Sequence[Span]) -> Iterator[Features]:
        """The features of each span's rows that are wanted."""
        asked = {name: dtype for one in self.contestants for name, dtype in one.asked.items()}
        if not asked:
            names = [one.name for one in self.contestants]
            yield from (dict.fromkeys(names, np.empty((span.rows, 0))) for span in block)
            return
        key = [] if self.known is None else [self.known.column]
        frames = []
        for span, frame in zip(block, self.table.read(block, list(dict.fromkeys([*asked, *key]))), strict=True):
            rows = self._requests(span, frame)
            for name in asked:
                refuse_nulls(rows.get_column(name), self.table.place(span).of(name), step="fill it, or drop such rows")
            frames.append(rows.filter(self._wanted(span, rows)))
        whole = features_of(self.contestants, pl.concat(frames))
        start = 0
        for frame in frames:
            yield {name: rows[start : start + frame.height] for name, rows in whole.items()}
            start += frame.height

    def _requests(self, span: Span, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of the table: what is declared in its one form, the rest as it is."""
        place = self.table.place(span)
        declared = {name: dtype for name, dtype in self.declared.items() if name in frame.columns}
        rows = canonical(as_declared(frame.select(list(declared)), declared, place), declared, place, None)
        return frame.with_columns(rows.get_columns())

    def _wanted(self, span: Span, rows: pl.DataFrame) -> NDArray[np.bool_]:
        if self.known is None:
            return np.ones(rows.height, np.bool_)
        return self.known.unknown(rows.get_column(self.known.column), self.table.place(span))

    @cached_property
    def _needed(self) -> list[str]:
        return list(dict.fromkeys([*self.declared, *self.columns]))

    def _finish(self, span: Span, frame: pl.DataFrame, features: Features) -> None:
        self.staging.write(span.number, self._answered(span, frame, features))

    def _answered(self, span: Span, frame: pl.DataFrame, features: Features) -> pl.DataFrame:
        rows = self._requests(span, frame)
        if self.known is not None:
            rows = rows.filter(self._wanted(span, rows))
            features = {name: one if one.shape[1] else np.empty((rows.height, 0)) for name, one in features.items()}
        return answers_of(self.contestants, rows.select(self.columns), rows, features)


def _finished(waiting: deque[tuple[Span, Future[None]]]) -> int:
    span, future = waiting.popleft()
    future.result()
    return span.rows
