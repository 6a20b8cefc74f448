"""From a worker to the writer of the prediction log: never waits, keeps a bounded number of bytes, loses no count."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from unisono.drivers.serving.operations.blocks import ACK, HEAD

Count = Callable[[str, int], None]
"""Takes the name of a counter, and by how much it grows."""

WRITTEN, DROPPED, LOST = "log_written", "log_dropped", "log_lost"
"""What becomes of a row: it is in a file; there was no room for it; the writer died with it, or could not write it."""

_SEND_BYTES = 1 << 20
_CLOSE_S = 1.0


class Channel:
    """Frames for the writer, in order. For one thread.

    address: of the Unix socket that the keeper listens on for the writer.
    room:    bytes that may wait here.
    count:   told what becomes of the rows.

    A writer that died is another connection: what it had been sent and had not written is lost, and counted.
    """

    def __init__(self, address: str, room: int, count: Count) -> None:
        self._address = address
        self._room = room
        self._count = count
        self._frames: deque[bytearray] = deque()
        self._held = 0
        self._socket: socket.socket | None = None
        self._sent = 0  # bytes of the first frame
        self._pending = 0  # rows that were sent, and of which the writer has said nothing
        self._said = (0, 0)
        self._acks = bytearray()

    @property
    def held(self) -> int:
        """Bytes that wait."""
        return self._held

    @property
    def is_full(self) -> bool:
        """Whether nothing more can wait."""
        return self._held >= self._room

    @property
    def is_settled(self) -> bool:
        """Whether all that was offered is written, dropped or lost."""
        return not self._frames and not self._pending

    def offer(self, frame: bytearray) -> None:
        """Let a frame wait; if there is no room, it is dropped."""
        if self.is_full:
            self.drop(HEAD.unpack_from(frame)[1])
            return
        self._frames.append(frame)
        self._held += len(frame)

    def drop(self, rows: int) -> None:
        """Rows that there is no room for."""
        self._count(DROPPED, rows)

    def push(self) -> None:
        """Send what the writer takes now, and hear what it has written."""
        try:
            if self._socket is None:
                self._connect()
            self._hear()
            self._send()
        except BlockingIOError:
            pass
        except OSError:
            self._break_off()

    def close(self) -> None:
        """Send what the writer takes within a second; the rest is dropped."""
        self.push()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.settimeout(_CLOSE_S)
                self._send()
            self._socket.close()
            self._socket = None
        for frame in self._frames:
            self.drop(HEAD.unpack_from(frame)[1])
        self._frames.clear()
        self._held = 0

    def _connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
            connection.connect(self._address)
        except OSError:
            connection.close()
            raise
        self._socket, self._said = connection, (0, 0)

    def _send(self) -> None:
        assert self._socket is not None
        while self._frames:
            frame = self._frames[0]
            self._sent += self._socket.send(memoryview(frame)[self._sent :])
            if self._sent == len(frame):
                self._frames.popleft()
                self._held -= len(frame)
                self._sent = 0
                self._pending += HEAD.unpack_from(frame)[1]

    def _hear(self) -> None:
        assert self._socket is not None
        try:
            heard = self._socket.recv(4096, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        if not heard:
            raise ConnectionResetError
        self._acks += heard
        whole = len(self._acks) // ACK.size * ACK.size
        if whole:
            self._settle(*ACK.unpack_from(self._acks, whole - ACK.size))
            del self._acks[:whole]

    def _settle(self, written: int, failed: int) -> None:
        before_written, before_failed = self._said
        self._said = (written, failed)
        self._count(WRITTEN, written - before_written)
        self._count(LOST, failed - before_failed)
        self._pending -= written - before_written + failed - before_failed

    def _break_off(self) -> None:
        """The writer is gone, or was never there."""
        if self._socket is not None:
            self._socket.close()
        self._count(LOST, self._pending)
        self._socket, self._sent, self._pending = None, 0, 0
        self._acks.clear()
