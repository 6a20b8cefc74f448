"""Blocks become files: by rows, by bytes, and by the time that the oldest has waited."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Protocol

import msgspec
import polars as pl

from unisono.connect.files import write_parquet
from unisono.drivers.serving.operations.frames import frames_of
from unisono.drivers.serving.settings import Log
from unisono.store.predictions import SERVED_AT
from unisono.store.served import path_of, prune, sweep

_LOGGER = logging.getLogger(__name__)

_UNPACKED_ROWS = 4096  # so the objects of few rows are in memory at a time, and writing a file takes less at once
_MOST_FILES = 4  # of full size that may wait, however many predictors there are
_BEGUN = timedelta(hours=1)  # longer than it takes to write any file
_QUIET_S = 60.0  # between two messages about the same trouble, and two looks for what is too old


class Owner(Protocol):
    """Whose rows they are."""

    def settle(self, written: int, failed: int) -> None:
        """So many rows are in files, so many could not be written."""
        ...


@dataclass(slots=True)
class _Waiting:
    """What a predictor's next file will have.

    since_s: when the first block came.
    frames:  of the blocks that came first; blocks: of the last packed_rows rows.
    rows, size_bytes: of all blocks.
    """

    since_s: float
    frames: list[pl.DataFrame] = field(default_factory=list)
    blocks: list[bytes] = field(default_factory=list)
    packed_rows: int = 0
    owners: Counter[Owner] = field(default_factory=Counter)
    rows: int = 0
    size_bytes: int = 0

    def unpack(self) -> None:
        """Make a frame of the blocks."""
        self.frames += frames_of(self.blocks)
        self.blocks.clear()
        self.packed_rows = 0


class _Head(msgspec.Struct, array_like=True):
    """The beginning of a block."""

    predictor: str


class Rotation:
    """The files of all predictors.

    directory: with a folder a predictor.
    settings:  when a file is written, and when it is deleted.
    clock:     seconds that never go back.
    now:       the instant, for the names of files.
    """

    def __init__(
        self,
        directory: Path,
        settings: Log,
        *,
        clock: Callable[[], float] = monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._clock = clock
        self._now = now
        self._head = msgspec.msgpack.Decoder(_Head)
        self._waiting: dict[str, _Waiting] = {}
        self._held = 0  # bytes of all blocks that wait
        self._number = 0
        self._lost = 0
        self._trouble = ""
        self._said_s = self._pruned_s = clock() - _QUIET_S

    def take(self, block: bytes, rows: int, owner: Owner) -> None:
        """Take in a block; write its predictor's file if there is enough for one."""
        predictor = self._head.decode(block).predictor
        waiting = self._waiting.setdefault(predictor, _Waiting(self._clock()))
        waiting.blocks.append(block)
        waiting.owners[owner] += rows
        waiting.rows += rows
        waiting.packed_rows += rows
        waiting.size_bytes += len(block)
        self._held += len(block)
        if waiting.packed_rows >= _UNPACKED_ROWS and not self._attempt(predictor, waiting.unpack):
            return
        if waiting.rows >= self._settings.file_rows or waiting.size_bytes >= self._settings.file_bytes:
            self._write(predictor)
        if self._held >= _MOST_FILES * self._settings.file_bytes:
            self._write(max(self._waiting, key=lambda name: self._waiting[name].size_bytes))

    @property
    def wait_s(self) -> float:
        """How long nothing has to be written, if nothing comes."""
        oldest_s = min((waiting.since_s for waiting in self._waiting.values()), default=float("inf"))
        return min(max(oldest_s + self._settings.flush_s - self._clock(), 0.0), _QUIET_S)

    def turn(self) -> None:
        """Write what has waited long enough, delete what is too old, say what was lost."""
        due_s = self._clock() - self._settings.flush_s
        for predictor in [name for name, waiting in self._waiting.items() if waiting.since_s <= due_s]:
            self._write(predictor)
        if self._clock() >= self._pruned_s + _QUIET_S:
            self._pruned_s = self._clock()
            self._prune()
        self._say()

    def close(self) -> None:
        """Write all that waits."""
        for predictor in list(self._waiting):
            self._write(predictor)
        self._said_s = self._clock() - _QUIET_S
        self._say()

    def _write(self, predictor: str) -> None:
        waiting = self._waiting[predictor]
        if self._attempt(predictor, lambda: self._write_files(predictor, waiting)):
            self._forget(predictor)
            for owner, rows in waiting.owners.items():
                owner.settle(rows, 0)

    def _attempt(self, predictor: str, act: Callable[[], None]) -> bool:
        """Whether it succeeds; if not, what waits is lost, but the server goes on, and so do the next rows."""
        try:
            act()
        except Exception as error:
            waiting = self._forget(predictor)
            self._lost += waiting.rows
            self._trouble = f"{predictor}: {error}"
            for owner, rows in waiting.owners.items():
                owner.settle(0, rows)
            return False
        return True

    def _forget(self, predictor: str) -> _Waiting:
        waiting = self._waiting.pop(predictor)
        self._held -= waiting.size_bytes
        return waiting

    def _write_files(self, predictor: str, waiting: _Waiting) -> None:
        """One file, unless columns or outputs have changed in between."""
        waiting.unpack()
        alike: dict[object, list[pl.DataFrame]] = {}
        for frame in waiting.frames:
            alike.setdefault(tuple(frame.schema.items()), []).append(frame)
        for frames in alike.values():
            self._number += 1
            first = frames[0].item(0, SERVED_AT)
            path = path_of(self._directory / predictor, first, f"{os.getpid()}-{self._number}")
            write_parquet(pl.concat(frames), path)

    def _prune(self) -> None:
        now = self._now()
        keep_days, keep_bytes = self._settings.keep_days, self._settings.keep_bytes
        try:
            for folder in self._directory.iterdir() if self._directory.is_dir() else ():
                sweep(folder, before=now - _BEGUN)
                prune(folder, today=now.date(), keep_days=keep_days, keep_bytes=keep_bytes)
        except OSError as error:
            self._trouble = f"what is too old could not be deleted ({error})"

    def _say(self) -> None:
        """Tell of trouble, at most once a minute."""
        if not self._trouble or self._clock() < self._said_s + _QUIET_S:
            return
        _LOGGER.error("prediction log: %d rows were not written down: %s", self._lost, self._trouble)
        self._said_s = self._clock()
        self._lost, self._trouble = 0, ""
