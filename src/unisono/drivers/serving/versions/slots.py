"""One version of a predictor in a worker: in memory or not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from unisono.drivers.serving.lane import Answers, Lane
from unisono.drivers.serving.repository import Form, State
from unisono.drivers.serving.versions.memory import folder_bytes

_GROWTH = 2  # of a version in memory over its files, before it has been measured


class Loaded(Answers, Protocol):
    """A version in memory."""

    @property
    def size_bytes(self) -> int:
        """What it takes there."""
        ...

    @property
    def outputs(self) -> tuple[Form, ...]:
        """What it gives."""
        ...

    @property
    def timings(self) -> list[tuple[int, float]]:
        """Rows, and the seconds that they took, of each batch that it was warmed up with."""
        ...


Loader = Callable[[str, Path], Loaded]
"""Predictor and folder of a prepared version -> the version, verified and warm. In a thread. Raises UnisonoError."""


class Slot:
    """One version of a predictor, in memory or not.

    predictor, version, path: which, and where it lies prepared.
    lane:          of its calls.
    is_pinned:     whether it stays in memory, whatever else wants room.
    is_leaving:    whether it is not served any more: it goes as soon as its last call is answered.
    state, reason: what the repository says of it. UNAVAILABLE: it is loaded when it is asked for.
    outputs:       what it gives; empty while it was never loaded.
    size_bytes:    what it takes; is_measured: or else is expected to.
    tried_s:       when it was last tried to load it, by `time.perf_counter`.
    loading:       done once it is loaded, or that has failed; None if it is neither loaded nor to be.
    """

    __slots__ = (
        "is_leaving",
        "is_measured",
        "is_pinned",
        "lane",
        "loading",
        "outputs",
        "path",
        "predictor",
        "reason",
        "size_bytes",
        "state",
        "tried_s",
        "version",
    )

    def __init__(self, predictor: str, version: str, path: Path) -> None:
        self.predictor = predictor
        self.version = version
        self.path = path
        self.lane = Lane(predictor)
        self.is_pinned = self.is_leaving = self.is_measured = False
        self.state: State = "UNAVAILABLE"
        self.reason = ""
        self.outputs: tuple[Form, ...] = ()
        self.size_bytes = _GROWTH * folder_bytes(path)
        self.tried_s = float("-inf")
        self.loading: asyncio.Future[None] | None = None

    @property
    def can_leave(self) -> bool:
        """Whether it may be taken out of memory now."""
        return self.lane.answers is not None and not self.is_pinned and self.lane.is_idle

    @property
    def will_stay(self) -> bool:
        """Whether it will not leave by itself: it is pinned, or hangs."""
        return self.is_pinned or self.lane.is_stuck

    @property
    def least_bytes(self) -> int:
        """What it takes at least."""
        return self.size_bytes if self.is_measured else self.size_bytes // _GROWTH

    def settle(self, error: Exception | None) -> None:
        """Tell those who wait for it that it is loaded, or why not."""
        loading = self.loading
        if loading is None or loading.done():
            return
        if error is None:
            loading.set_result(None)
            return
        self.loading = None  # it may be tried again
        loading.set_exception(error)
        loading.exception()  # a call that waits is told by its lane: nobody may ask the future
