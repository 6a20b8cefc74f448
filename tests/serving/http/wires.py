"""A connection without a socket."""

from __future__ import annotations

import asyncio


class Wire(asyncio.Transport):
    """Keeps what is written.

    is_closed: whether the server writes no more.
    may_send:  whether it lets the client go on sending all the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_closed = self.may_send = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.is_closed = self.may_send = True

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed
