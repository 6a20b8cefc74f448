"""Messages over a pair of sockets: each as four bytes of length, little-endian, and MessagePack."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import msgspec

from unisono.spec.errors import StateError

MAX_BYTES = 1 << 28  # of one message: plans of many predictors

_LENGTH = 4
_ENCODER = msgspec.msgpack.Encoder()

Received = TypeVar("Received")


class Channel(asyncio.Protocol, Generic[Received]):
    """One end.

    kinds:    union of the messages that come in here.
    received: called with each of them, in order.
    closed:   called once when the other end is gone, or `close` was called.

    For the thread of the loop.
    """

    def __init__(self, kinds: Any, received: Callable[[Received], None], closed: Callable[[], None]) -> None:
        self._decoder: msgspec.msgpack.Decoder[Received] = msgspec.msgpack.Decoder(kinds)
        self._received = received
        self._closed = closed
        self._buffer = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    async def open(self, end: socket.socket) -> None:
        """Take over one end of a pair of sockets."""
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=end)

    def send(self, message: msgspec.Struct) -> None:
        """Send a message; nothing happens if the other end is gone."""
        if self._transport is not None and not self._transport.is_closing():
            content = _ENCODER.encode(message)
            self._transport.write(len(content).to_bytes(_LENGTH, "little") + content)

    def close(self) -> None:
        """Send what is not sent yet, and hang up."""
        if self._transport is not None:
            self._transport.close()

    # What asyncio calls -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Messages can be sent."""
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        """Some bytes have come. Raises StateError for a message that is none, which closes the channel."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH:
            end = _LENGTH + int.from_bytes(self._buffer[:_LENGTH], "little")
            if end > MAX_BYTES:
                raise StateError(f"a message of {end} bytes; allowed: {MAX_BYTES}; report it")
            if len(self._buffer) < end:
                return
            content = bytes(self._buffer[_LENGTH:end])
            del self._buffer[:end]
            self._received(self._decoder.decode(content))

    def connection_lost(self, error: Exception | None) -> None:
        """The other end is gone."""
        self._transport = None
        self._closed()
