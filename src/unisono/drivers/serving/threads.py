"""Threads for what may take long. Not `concurrent.futures`: a process that ends would wait for a model that hangs."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue

_LOGGER = logging.getLogger(__name__)

Work = Callable[[], None]


class Threads:
    """As many threads as there is work at a time; a few wait for more. None of them keeps the process alive.

    name:   of the threads, for whoever looks at the process.
    idle:   how many may wait for work.
    nice:   by how much they leave the processor to others (Linux, where a thread has its own).
    """

    def __init__(self, name: str, *, idle: int = 4, nice: int = 0) -> None:
        self._name = name
        self._idle = idle
        self._nice = nice
        self._work: SimpleQueue[Work] = SimpleQueue()
        self._waiting = 0
        self._lock = threading.Lock()

    def start(self, work: Work) -> None:
        """Let a thread do something, at once."""
        with self._lock:
            is_taken = self._waiting > 0
            self._waiting -= is_taken
        self._work.put(work)
        if not is_taken:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        if self._nice and sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._nice)
        while True:
            self._do(self._work.get())
            with self._lock:
                if self._waiting >= self._idle:
                    return
                self._waiting += 1

    def _do(self, work: Work) -> None:
        try:
            work()
        except Exception:
            _LOGGER.exception("%s: a thread's work failed", self._name)
