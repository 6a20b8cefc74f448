"""Lines on stderr that a server does not wait for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Full, Queue
from threading import Thread

_MOST = 1000  # lines that wait for a reader
_LAST_S = 2.0  # for those that wait at the end


@contextmanager
def aside() -> Iterator[Callable[[str], None]]:
    """Gives what writes a line to stderr, on a thread of its own.

    A line is dropped if nobody is there to read it any more, or 1,000 wait for somebody who does not: neither may keep
    a server from answering, or from stopping when it is told to.
    """
    lines: Queue[bytes | None] = Queue(_MOST)
    writing = Thread(target=_write, args=(lines, sys.stderr.fileno()), name="stderr", daemon=True)
    writing.start()

    def say(line: str) -> None:
        with suppress(Full):
            lines.put_nowait(f"{line}\n".encode())

    try:
        yield say
    finally:
        with suppress(Full):
            lines.put_nowait(None)
        writing.join(_LAST_S)


def _write(lines: Queue[bytes | None], stderr: int) -> None:
    """Not by way of sys.stderr: whoever is stuck in there keeps its lock, and Python asks for that when it ends."""
    while (line := lines.get()) is not None:
        with suppress(OSError):
            while line:
                line = line[os.write(stderr, line) :]
