"""A service over HTTP in this process: no keeper, no workers."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable

import uvloop

from unisono.drivers.serving.http.server import HttpServer
from unisono.drivers.serving.http.sockets import address_of, listen
from unisono.drivers.serving.service import Service
from unisono.drivers.serving.settings import Http

GRACE_S = 10.0
"""How long what was asked may take once the server is told to stop."""


class Server:
    """Serves until it is told to stop. What is under way is answered.

    service:    what is served.
    host, port: where to listen; port 0 takes a free one.
    announce:   called with the address once it can be reached.
    limits:     of connections.
    tls:        how they are encrypted; None: not.

    Raises StoreError if the address is taken.
    """

    def __init__(
        self,
        service: Service,
        host: str,
        port: int,
        announce: Callable[[str], None],
        *,
        limits: Http | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._service = service
        self._limits = limits
        self._tls = tls
        self._announce = announce
        self._listening = listen(host, port)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_told = threading.Event()
        self._stopping: asyncio.Event | None = None

    def serve_forever(self) -> None:
        """Serve; returns once it has stopped."""
        with self._listening, asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(self._serve())

    def stop(self) -> None:
        """Let it stop, from any thread."""
        self._is_told.set()
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        server = HttpServer(self._service, self._limits, tls=self._tls)
        await server.start([self._listening])
        self._announce(address_of(self._listening, is_encrypted=self._tls is not None))
        if not self._is_told.is_set():
            await self._stopping.wait()
        await server.drain(GRACE_S)


def new_loop() -> asyncio.AbstractEventLoop:
    """As workers have it."""
    made: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return made
