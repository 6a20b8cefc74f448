"""A worker that serves nothing but what it was told: the process is the real one. Run as a script by the keeper."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from unisono.drivers.serving.security.tokens import Token
from unisono.drivers.serving.settings import Serve
from unisono.drivers.serving.versions.routes import Routes
from unisono.drivers.serving.workers.asking import Asking
from unisono.drivers.serving.workers.messages import Boot, What
from unisono.drivers.serving.workers.worker import work
from unisono.spec.errors import StoreError

BROKEN = "broken"
"""A prepared version at this place cannot be loaded."""
HARMFUL = "harmful"
"""At this one it ends the process."""


class Actor:
    """Answers `GET /` with what it knows, and does what the path says: hang, die, ask/WHAT/PREDICTOR, slow."""

    def __init__(self, boot: Boot, asking: Asking) -> None:
        self.boot = boot
        self.asking = asking
        self.routes: dict[str, Routes] = {}
        self.settings = boot.settings
        self.tokens: Sequence[Token] | None = boot.tokens
        self.server: asyncio.Server | None = None
        self.connections: set[asyncio.Task[None] | None] = set()

    def apply(self, routes: Routes, done: Callable[[Exception | None], None]) -> None:
        if HARMFUL in routes.versions.values():
            os._exit(3)
        if BROKEN in routes.versions.values():
            done(StoreError("it is broken"))
            return
        self.routes[routes.predictor] = routes
        done(None)

    def configure(self, settings: Serve) -> None:
        self.settings = settings

    def replace_tokens(self, tokens: Sequence[Token] | None) -> None:
        self.tokens = tokens

    async def start(self, listening: socket.socket) -> None:
        self.server = await asyncio.start_server(self.connected, sock=listening)

    async def stop(self, linger_s: float, grace_s: float) -> None:
        assert self.server is not None
        self.server.close()
        mine = [task for task in self.connections if task is not None]
        if mine:
            await asyncio.wait(mine, timeout=grace_s)

    def reasons(self) -> Mapping[str, str]:
        return dict.fromkeys(self.routes, "")

    def positions(self) -> Mapping[str, int]:
        return dict.fromkeys(self.routes, 7)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self.connections.add(task)
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            body = await self.answer(path.strip("/").split("/"))
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.connections.discard(task)

    async def answer(self, path: list[str]) -> bytes:
        if path[0] == "hang":
            time.sleep(1000)
        if path[0] == "die":
            os._exit(1)
        if path[0] == "slow":
            await asyncio.sleep(float(path[1]))
        if path[0] == "ask":
            return await self.ask(path[1], path[2] if len(path) > 2 else "")  # type: ignore[arg-type]  # as tests say
        return msgspec.json.encode(
            {
                "pid": os.getpid(),
                "slot": self.boot.slot,
                "files": resource.getrlimit(resource.RLIMIT_NOFILE),
                "connections": len(self.connections),
                "routes": self.routes,
                "settings": self.settings,
                "tokens": None if self.tokens is None else [token.name for token in self.tokens],
            }
        )

    async def ask(self, what: What, predictor: str) -> bytes:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def told(error: Exception | None, found: bytes) -> None:
            answer.set_result(found if error is None else b"!" + str(error).encode())

        self.asking.ask(what, predictor, told)
        return await answer


if __name__ == "__main__":
    work(Actor)
