"""The process that writes the prediction log: `python -m unisono.drivers.serving.operations.writer`.

It takes blocks of all workers from the Unix socket that the keeper listens on. Once its standard input is at its end
and the workers have gone it writes what it has, and ends: so it outlives neither a keeper that stops nor a killed one.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic

import msgspec

from unisono.drivers.serving.operations.blocks import ACK, HEAD
from unisono.drivers.serving.operations.rotation import Rotation
from unisono.drivers.serving.settings import Log

_READ_BYTES = 1 << 20
_NICE = 5  # workers go first
_LEAVE_S = 10.0  # that workers have to go, once the keeper has


class Connection:
    """One worker.

    connected: to it.
    """

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self.socket = connected
        self._data = bytearray()
        self._written = self._failed = 0

    def blocks(self) -> Iterator[tuple[bytes, int]]:
        """What has come: blocks and their counts of rows. Raises EOFError if the worker has gone."""
        try:
            data = self.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            raise EOFError from error
        if not data:
            raise EOFError
        self._data += data
        start = 0
        while len(self._data) >= start + HEAD.size:
            size, rows = HEAD.unpack_from(self._data, start)
            end = start + HEAD.size + size
            if len(self._data) < end:
                break
            yield bytes(memoryview(self._data)[start + HEAD.size : end]), rows
            start = end
        del self._data[:start]

    def settle(self, written: int, failed: int) -> None:
        """Tell the worker what became of its rows. Counts are totals: what it does not hear now, it hears next time."""
        self._written += written
        self._failed += failed
        with suppress(OSError):  # it has gone, or does not listen
            self.socket.send(ACK.pack(self._written, self._failed))


class Writer:
    """Takes blocks until nobody sends any.

    listener: what the workers connect to.
    keeper:   file descriptor that is at its end once the keeper has gone.
    rotation: where the blocks go.
    """

    def __init__(self, listener: socket.socket, keeper: int, rotation: Rotation) -> None:
        self._listener = listener
        self._rotation = rotation
        self._selector = selectors.DefaultSelector()
        self._workers: set[Connection] = set()
        self._leave_s = float("inf")
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(keeper, selectors.EVENT_READ, self._leave)

    def run(self) -> None:
        """Until the keeper has gone, and the workers."""
        while (self._workers or self._leave_s == float("inf")) and monotonic() < self._leave_s:
            wait_s = min(self._rotation.wait_s, self._leave_s - monotonic())
            for key, _ in self._selector.select(max(wait_s, 0.0)):
                if isinstance(key.data, Connection):
                    self._read(key.data)
                else:
                    key.data(key.fd)
            self._rotation.turn()
        self._rotation.close()

    def _accept(self, _: int = 0) -> bool:
        """Let a worker in; returns whether one was there."""
        try:
            connection = Connection(self._listener.accept()[0])
        except BlockingIOError:  # who wanted to connect has gone
            return False
        self._workers.add(connection)
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        return True

    def _leave(self, keeper: int) -> None:
        """The keeper has gone; workers that have just connected may still have sent something."""
        self._selector.unregister(keeper)
        while self._accept():
            pass
        self._leave_s = monotonic() + _LEAVE_S

    def _read(self, worker: Connection) -> None:
        try:
            for block, rows in worker.blocks():
                self._rotation.take(block, rows, worker)
        except EOFError:
            self._selector.unregister(worker.socket)
            self._workers.discard(worker)
            worker.socket.close()


def main() -> None:
    """Arguments: the listener's file descriptor, the folder, the settings as JSON."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the keeper, who then closes our standard input
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(_NICE)
    gc.disable()  # blocks are many small objects without cycles: looking for some takes a third of the time
    descriptor, directory, settings = sys.argv[1:]
    rotation = Rotation(Path(directory), msgspec.json.decode(settings, type=Log))
    with socket.socket(fileno=int(descriptor)) as listener:
        Writer(listener, sys.stdin.fileno(), rotation).run()


if __name__ == "__main__":
    main()
