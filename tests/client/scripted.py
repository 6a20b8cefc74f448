"""A server that does what a test tells it, one line of the script a request."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Queue
from time import monotonic

import msgspec

Step = Callable[["Asked", asyncio.StreamWriter], object]
"""Answers one request: writes to the connection, closes it, or does nothing for good."""


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    line: str
    headers: dict[str, str]
    body: bytes
    at_s: float


@dataclass
class Scripted:
    """The server.

    script: what it does with each request; the last step is for all that follow.
    asked:  the requests that came.
    """

    script: Sequence[Step]
    asked: list[Asked] = field(default_factory=list)
    address: str = ""
    connections: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections.append(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.asked.append(Asked(head[0], headers, body, monotonic()))
                step = self.script[min(len(self.asked), len(self.script)) - 1]
                step(self.asked[-1], writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@contextmanager
def scripted(*script: Step) -> Iterator[Scripted]:
    """A server on a port of this machine, while the block lasts."""
    server = Scripted(script)
    started: Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Queue()

    async def main() -> None:
        stopped = asyncio.Event()
        async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
            server.address = "http://{}:{}".format(*listening.sockets[0].getsockname())
            started.put((asyncio.get_running_loop(), stopped))
            await stopped.wait()
            for writer in server.connections:
                writer.transport.abort()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    loop, stopped = started.get(timeout=10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()


def reply(status: int, body: object, **headers: str) -> Step:
    """A whole response."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    lines = [f"HTTP/1.1 {status} x", f"content-length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return lambda asked, writer: writer.write("\r\n".join([*lines, "", ""]).encode() + content)


def problem(status: int, code: str, **headers: str) -> Step:
    """A refusal, as the server has it."""
    return reply(status, {"code": code, "detail": f"seen; allowed: other; {code}", "status": status}, **headers)


def drop(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """The connection is reset, with nothing said."""
    writer.transport.abort()


def hang(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Nothing is said, for good."""


def cut(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Half of an answer, and no more."""
    writer.write(b'HTTP/1.1 200 x\r\ncontent-length: 100\r\n\r\n{"pre')
    writer.close()


def drip(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """An answer that comes byte by byte and never ends: a socket's own timeout would never pass."""
    writer.write(b"HTTP/1.1 200 x\r\ncontent-length: 100000\r\n\r\n")

    def more() -> None:
        if not writer.is_closing():
            writer.write(b" ")
            asyncio.get_running_loop().call_later(0.01, more)

    more()


ONE = {"prediction": {"late": 0.5}, "version": "v1", "position": 7, "time": "2026-01-01T00:00:00Z"}
answer_one = reply(200, ONE)


def answer_rows(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """As many predictions as there are rows; each is its row."""
    rows = msgspec.json.decode(asked.body)
    times = ["2026-01-01T00:00:00Z"] * len(rows)
    reply(200, {"predictions": rows, "version": "v1", "position": 7, "times": times})(asked, writer)
