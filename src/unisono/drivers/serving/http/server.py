"""The HTTP server of one worker."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from socket import socket
from time import perf_counter

from unisono.drivers.serving.http.connection import LINGER_S, Connection
from unisono.drivers.serving.http.connections import Connections, Counts
from unisono.drivers.serving.service import Service
from unisono.drivers.serving.settings import Http

BACKLOG = 2048
"""Connections that wait to be accepted."""

_LOOK_S = 0.01


class HttpServer:
    """Serves over HTTP/1.1, on the loop that it is started on.

    service: what is served.
    limits:  of each connection, and of how many there are.
    tls:     with certificate and key, see `tls.context_of`; None: it is not encrypted.
    """

    def __init__(self, service: Service, limits: Http | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self._connections = Connections(service, limits or Http())
        self._tls = tls
        self._servers: list[asyncio.Server] = []

    @property
    def counts(self) -> Counts:
        """What has happened, since it started."""
        return self._connections.counts

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    def limit(self, limits: Http) -> None:
        """Let other limits hold: those of size for new connections, those of time and number from now on."""
        self._connections.limits = limits

    async def start(self, sockets: Sequence[socket]) -> None:
        """Accept connections on listening sockets, which are closed with the server.

        A socket's queue of connections that nobody has accepted is lost with it, unless another process has the same
        socket open: hand in `socket.dup()`, and close the last one when no connection comes any more.
        """
        loop = asyncio.get_running_loop()
        for one in sockets:
            server = await loop.create_server(
                self._connect,
                sock=one,
                backlog=BACKLOG,
                ssl=self._tls,
                ssl_handshake_timeout=self._connections.limits.header_timeout_s if self._tls else None,
                ssl_shutdown_timeout=LINGER_S if self._tls else None,
            )
            self._servers.append(server)
        self._connections.watch()

    def _connect(self) -> Connection:
        return Connection(self._connections)

    async def farewell(self, most_s: float) -> None:
        """Accept no more, and let the next answer on each connection be its last.

        A client that has just been answered may have sent its next request already: closing its connection then would
        lose that. Returns once all have gone, or after `most_s`; those that said nothing by then are for `drain`.
        """
        self._connections.is_leaving = True
        coming = [asyncio.ensure_future(self._take(one)) for server in self._servers for one in _queue_of(server)]
        self._stop_accepting()
        ends_s = perf_counter() + most_s
        while (len(self._connections) or not all(one.done() for one in coming)) and perf_counter() < ends_s:
            await asyncio.sleep(_LOOK_S)

    async def _take(self, accepted: socket) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):  # it has gone, or does not shake hands
            await loop.connect_accepted_socket(
                self._connect,
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=self._connections.limits.header_timeout_s if self._tls else None,
            )

    def _stop_accepting(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()

    async def drain(self, grace_s: float) -> None:
        """Stop: accept no more, answer what was asked, close what is idle; what is not done after the grace is cut."""
        self._stop_accepting()
        await asyncio.sleep(0)  # what has come in until now was asked in time
        self._connections.drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._connections.none_left()
        self._connections.cut()


def _queue_of(server: asyncio.Server) -> Iterator[socket]:
    """The connections that nobody has accepted yet: they would be reset with the server."""
    for one in server.sockets:
        listening = one.dup()
        with listening, suppress(BlockingIOError):
            listening.setblocking(False)
            while True:
                accepted = listening.accept()[0]
                accepted.setblocking(False)
                yield accepted
