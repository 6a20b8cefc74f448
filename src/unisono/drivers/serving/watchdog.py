"""Stops a model that hangs on the loop: quick in all that it was seen to do, and endless on one request."""

from __future__ import annotations

import threading
import weakref
from time import sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unisono.drivers.serving.batches import Batch

LOOK_S = 0.25
"""Between two looks. A batch that is there at three in a row hangs; a process that was paused looks on only once."""

_LOOKS = 3


class Watchdog:
    """A thread that looks at what the loop runs now and then; it ends with its watchdog.

    batch: what the loop runs now.
    """

    def __init__(self) -> None:
        self.batch: Batch | None = None
        self._is_watching = False

    def watch(self) -> None:
        """Begin."""
        if not self._is_watching:
            self._is_watching = True
            threading.Thread(target=_watch, args=(weakref.ref(self),), name="watchdog", daemon=True).start()


def _watch(watchdog: weakref.ref[Watchdog]) -> None:
    seen: Batch | None = None
    looks = 0
    while True:
        sleep(LOOK_S)
        found = watchdog()
        if found is None:
            return
        batch = found.batch
        looks = looks + 1 if batch is not None and batch is seen else 1
        seen = batch
        del found
        if batch is not None and looks == _LOOKS:
            batch.is_stopped = True
            batch.answers.stop()
