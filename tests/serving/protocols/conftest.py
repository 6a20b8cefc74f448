"""The loop of the services in this process, and a server that speaks every protocol."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Queue

import pytest

from tests.serving.protocols.parts import MOST_BYTES, Parts, make_parts, runner
from tests.serving.running import Server
from unisono.drivers.online.predictor import OnlinePredictor
from unisono.drivers.serving.grpc.server import GrpcServer
from unisono.drivers.serving.settings import Grpc, Http


@pytest.fixture(scope="session", autouse=True)
def closed_loop() -> Iterator[None]:
    yield
    runner().close()
    runner.cache_clear()


@dataclass(frozen=True)
class Addresses:
    """Of a server: `http://127.0.0.1:PORT`, and `127.0.0.1:PORT` of gRPC."""

    http: str
    grpc: str


@pytest.fixture(scope="session")
def served(online: OnlinePredictor) -> Iterator[Addresses]:
    """`kinds` and `risk`, over HTTP and gRPC, on one loop in a thread."""
    told: Queue[tuple[Addresses, GrpcServer, asyncio.AbstractEventLoop]] = Queue()
    parts = make_parts(online)

    def announce(address: str) -> None:
        loop = asyncio.get_running_loop()
        told.put((*_with_grpc(parts, address, loop), loop))

    server = Server(parts.service(), "127.0.0.1", 0, announce, limits=Http(max_body_bytes=MOST_BYTES))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    addresses, grpc, loop = told.get(timeout=20)
    try:
        yield addresses
    finally:
        asyncio.run_coroutine_threadsafe(grpc.drain(0.0), loop).result(20)
        server.stop()
        thread.join()


def _with_grpc(parts: Parts, address: str, loop: asyncio.AbstractEventLoop) -> tuple[Addresses, GrpcServer]:
    server = GrpcServer(parts.grpc(), Grpc(threads=4), loop)
    return Addresses(address, f"127.0.0.1:{server.start('127.0.0.1', 0)}"), server
