"""Callers who keep their connections, in one thread: each sends its next request when the last one is answered.

wrk is what speed is measured with; these look at every answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import httptools

_BROKEN = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a caller got.

    number:      of the request, among those that there are.
    status:      of HTTP; 0: the connection ended instead.
    body:        of the answer.
    retry_after: seconds, or "" if the answer does not say.
    sent_s:      when it was sent, by `time.perf_counter`.
    took_s:      until the whole answer was there.
    """

    number: int
    status: int
    body: bytes
    retry_after: str
    sent_s: float
    took_s: float

    @property
    def is_refused(self) -> bool:
        """Whether it was told to come again later."""
        return self.status in (429, 503)


def post(path: str, body: bytes, *headers: str) -> bytes:
    """A request as bytes.

    headers: "NAME: VALUE".
    """
    lines = [f"POST {path} HTTP/1.1", "host: localhost", "content-type: application/json", *headers]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


@dataclass(slots=True)
class _Answer:
    """A response while it comes in; the parser calls back."""

    body: list[bytes] = field(default_factory=list)
    retry_after: str = ""
    is_whole: bool = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self.retry_after = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        self.is_whole = True


class Caller(asyncio.Protocol):
    """One connection.

    next_number: gives the number of the next request; below 0 when no more are to be sent.
    requests:    by number.
    look:        is given what came of each.
    """

    def __init__(self, next_number: Callable[[], int], requests: Sequence[bytes], look: Callable[[Seen], None]) -> None:
        self._next_number = next_number
        self._requests = requests
        self._look = look
        self._number = -1
        self._transport: Any = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._number = self._next_number()
        if self._number < 0:
            self._transport.close()
            return
        self._answer = _Answer()
        self._parser = httptools.HttpResponseParser(self._answer)
        self._sent_s = perf_counter()
        self._transport.write(self._requests[self._number])

    def data_received(self, data: bytes) -> None:
        """Take in a piece of the answer. An answer that is no HTTP ends the connection."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()
            return
        if self._answer.is_whole:
            status, keeps = self._parser.get_status_code(), self._parser.should_keep_alive()
            self._tell(status)
            self._number = -1
            if keeps:
                self._send()
            else:
                self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Say that the request under way is not answered."""
        if self._number >= 0:
            self._tell(_BROKEN)
        if not self.done.done():
            self.done.set_result(None)

    def _tell(self, status: int) -> None:
        took_s = perf_counter() - self._sent_s
        answer = self._answer
        self._look(Seen(self._number, status, b"".join(answer.body), answer.retry_after, self._sent_s, took_s))


async def press(
    port: int, requests: Sequence[bytes], numbers: Iterable[int], look: Callable[[Seen], None], *, connections: int
) -> None:
    """Send requests over so many connections to 127.0.0.1, until the numbers end; a connection that ends is made anew.

    requests: by number.
    numbers:  of those to be sent, in order.
    look:     is given what came of each, in the order of the answers.
    """
    loop, shared = asyncio.get_running_loop(), iter(numbers)
    is_over = False

    def next_number() -> int:
        nonlocal is_over
        number = next(shared, -1)
        is_over = number < 0
        return number

    async def keep_calling() -> None:
        while not is_over:
            try:
                _, caller = await loop.create_connection(lambda: Caller(next_number, requests, look), "127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.01)  # it is full, or away
            else:
                await caller.done

    await asyncio.gather(*(keep_calling() for _ in range(connections)))
