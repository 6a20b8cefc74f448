"""The stream driver: the log in, feature state in LMDB, predictions out, each event and each request exactly once.

A commit is one LMDB transaction with the changed states, the position in the log and the length of the output. The
output is written before it; what a killed run wrote behind the committed length is cut off when the next run begins.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from unisono.connect.log import Batch, LogWriter
from unisono.connect.records import REQUEST, Block
from unisono.connect.segments import Mark
from unisono.drivers.fold import OpenBlock, PredictorFold
from unisono.drivers.predictors import ReadyPredictor
from unisono.drivers.scores import Scores
from unisono.spec.errors import StateError
from unisono.spec.progress import Progress, no_progress
from unisono.store.predictions import prediction_rows
from unisono.store.states import Mode, StateStore

BATCH_ROWS = 8192


def prediction_topic(predictor: str) -> str:
    """The topic of a predictor's answers in its prediction log."""
    return f"prediction:{predictor}"


class ReadableLog(Protocol):
    """What a stream reads: `connect.log.Log`, or something that gives blocks like it."""

    @property
    def end(self) -> Mark:
        """How far it goes now."""
        ...

    def read(self, position: int = 0, *, until: int | None = None) -> Iterator[Block]:
        """The blocks from a position on."""
        ...


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What a run did.

    requests: answered.
    rows:     of the log, events and requests, of every topic.
    position: of the log, where the next run goes on.
    seconds:  how long it took.
    stopped:  whether it was asked to stop before the end of the log.
    """

    requests: int
    rows: int
    position: int
    seconds: float
    stopped: bool


class StreamRun:
    """One writer's run over the log; a context.

    ready:     the predictor.
    log:       read from the committed position on.
    scorer:    answers requests; None: only the state is kept.
    directory: holds `state` (LMDB) and `predictions` (a log).
    mode:      of the state, see StateStore.

    Raises StoreError if another process writes there, StateError if what is stored does not fit.
    """

    def __init__(
        self, ready: ReadyPredictor, log: ReadableLog, scorer: Scores | None, directory: Path, *, mode: Mode = "write"
    ) -> None:
        self._ready, self._log, self._scorer = ready, log, scorer
        self.store = StateStore(directory / "state", ready.identities, mode=mode)
        try:
            self._output = LogWriter(directory / "predictions", durable=mode == "write")
        except BaseException:
            self.store.close()
            raise
        try:
            self._resume()
        except BaseException:
            self.close()
            raise
        self._fold = PredictorFold(ready, self._load)

    def _resume(self) -> None:
        last = self.store.last
        if last.position > self._log.end.position:
            raise StateError(
                f"{self.store.directory}: the state is at position {last.position}, but the log ends at "
                f"{self._log.end.position}; it was cut or replaced; restore it, or delete the state"
            )
        self._output.truncate(last.output)
        self._position, self._time = last.position, last.time

    def _load(self, view: str, key: bytes) -> bytes | memoryview | None:
        with self.store.snapshot() as snapshot:
            stored = snapshot.state(view, key)
            return None if stored is None else bytes(stored)

    @property
    def position(self) -> int:
        """Rows of the log that are committed."""
        return self._position

    def advance(
        self,
        *,
        batch: int = BATCH_ROWS,
        until: int | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        progress: Progress = no_progress,
    ) -> StreamReport:
        """Go on to the end that the log has now, or to a position.

        batch:       rows of the log a commit.
        until:       position to stop at.
        should_stop: asked after each commit.
        """
        begun, first, answered = clock.monotonic(), self._position, 0
        total = (self._log.end.position if until is None else until) - first
        stopped = False
        for open_block, step in self._steps(batch, until):
            answered += self._step(open_block, step)
            progress("streaming", self._position - first, total)
            stopped = should_stop()
            if stopped:
                break
        done = self._position - first
        return StreamReport(answered, done, self._position, clock.monotonic() - begun, stopped)

    def _steps(self, batch: int, until: int | None) -> Iterator[tuple[OpenBlock, int]]:
        for block in self._log.read(self._position, until=until):
            self._fold.forget_if_large()
            open_block = self._fold.open(block)
            open_block.cut(range(batch, block.rows, batch))
            for step in range(open_block.steps):
                yield open_block, step

    def _step(self, block: OpenBlock, step: int) -> int:
        """Run some rows and commit them; returns how many requests were answered."""
        block.run(step)
        first, last = block.asked_in(step)
        if self._scorer is not None and first < last:
            self._write(block, first, last)
        self._commit(block.end_of(step), block.time_of(step))
        return last - first

    def _write(self, block: OpenBlock, first: int, last: int) -> None:
        assert self._scorer is not None
        requests, features = block.requests.slice(first, last - first), block.features(first, last)
        rows = prediction_rows(
            requests,
            positions=block.positions(first, last),
            version=self._scorer.version.id,
            features=features,
            predictions=self._scorer.score(requests, features),
        )
        times = requests.get_column(self._ready.spec.time).to_physical().to_numpy().astype(np.int64)
        self._output.append([Batch(prediction_topic(self._ready.name), rows, times, REQUEST)])

    def _commit(self, position: int, time: int) -> None:
        self._time = max(time, self._time)
        changes = self._fold.take_changes(self._time)
        self.store.commit(changes, position=position, time=self._time, output=self._output.end.position)
        self._position = position

    def close(self) -> None:
        """Let another process write."""
        self._output.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
