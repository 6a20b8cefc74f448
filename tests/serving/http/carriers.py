"""Servers in a thread, whatever carries the requests, and clients that say what they like, byte by byte."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Queue
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from tests.serving.running import Server
from unisono.drivers.serving.asgi import Application
from unisono.drivers.serving.http.sockets import address_of, listen
from unisono.drivers.serving.service import Service
from unisono.drivers.serving.settings import Http

PATIENCE_S = 10.0
"""How long a test waits for what must come."""


@contextmanager
def own(service: Service, limits: Http, *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of our own server."""
    addresses: Queue[str] = Queue()
    server = Server(service, "127.0.0.1", 0, addresses.put, limits=limits, tls=tls)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield addresses.get(timeout=PATIENCE_S)
    finally:
        server.stop()
        thread.join()


@contextmanager
def under_uvicorn(application: Any, *, prefix: str = "") -> Iterator[str]:
    """The address of an ASGI application under uvicorn.

    prefix: of the paths that callers use, which a proxy strips.
    """
    with listen("127.0.0.1", 0) as listening:
        config = uvicorn.Config(application, lifespan="on", ws="none", log_level="error", root_path=prefix)
        config.server_header, config.timeout_graceful_shutdown = False, 0  # a declared gap leaves requests behind
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        wait_until(lambda: server.started)
        try:
            yield address_of(listening)
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def asgi(service: Service, limits: Http) -> Iterator[str]:
    """The address of the service as an ASGI application under uvicorn."""
    with under_uvicorn(Application(service, limits)) as address:
        yield address


CARRIERS: Mapping[str, Callable[[Service, Http], Any]] = {"own": own, "asgi": asgi}


@dataclass(frozen=True)
class Answer:
    """One response off the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def answers_of(received: bytes, heads: Sequence[int] = ()) -> list[Answer]:
    """All responses in some bytes; nothing may be left over.

    heads: numbers of the responses that have no body since a HEAD asked for them.
    """
    found: list[Answer] = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status = first.split(" ")[:2]
        assert version == "HTTP/1.1"
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        size = 0 if len(found) in heads or status in ("100", "204") else int(headers["content-length"])
        assert len(received) >= size
        found.append(Answer(int(status), headers, received[:size]))
        received = received[size:]
    return found


def connect(address: str) -> socket.socket:
    place = urlsplit(address)
    assert place.hostname and place.port
    return socket.create_connection((place.hostname, place.port), timeout=PATIENCE_S)


def read_all(connection: socket.socket) -> bytes:
    """Until the server closes."""
    received = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            received += piece
    return received


def read_bytes(connection: socket.socket, count: int) -> None:
    """So many, whatever they are."""
    while count:
        piece = connection.recv(min(count, 1 << 16))
        assert piece
        count -= len(piece)


def read_some(connection: socket.socket, count: int) -> list[Answer]:
    """So many responses of an open connection."""
    received = b""
    while received.count(b"\r\n\r\n") < count or not _is_whole(received):
        piece = connection.recv(1 << 16)
        assert piece, f"closed after {received!r}"
        received += piece
    return answers_of(received)


def _is_whole(received: bytes) -> bool:
    try:
        answers_of(received)
    except (AssertionError, KeyError, ValueError):
        return False
    return True


def say(address: str, *pieces: bytes) -> list[Answer]:
    """What a client is answered that sends pieces and nothing more, and reads until the server closes."""
    with connect(address) as connection:
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        return answers_of(read_all(connection))


def wait_until(is_so: Callable[[], object]) -> None:
    """Until something is so, which must be soon."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.002)
