"""Handlers that say what they were asked, and answer when they are told to."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

import msgspec

from unisono.drivers.serving.exchange import Cancel, Reply, Request, Response
from unisono.drivers.serving.refusals import RefusalError, problem
from unisono.drivers.serving.service import Path, Service


class Refusing:
    """What all handlers here have."""

    what = "anything"

    def refuse(self, refusal: RefusalError) -> Response:
        return problem(refusal)


class Echo(Refusing):
    """`/echo`: answers at once with what it was asked."""

    def handle(self, request: Request, path: Path, reply: Reply) -> Cancel | None:
        asked = {
            "method": request.method,
            "path": request.path,
            "query": request.query.decode("latin-1"),
            "headers": {key.decode("latin-1"): value.decode("latin-1") for key, value in request.headers.items()},
            "body": request.body.decode("latin-1"),
        }
        reply(Response(200, msgspec.json.encode(asked)))
        return None


class Big(Refusing):
    """`/big/N`: answers at once with N bytes."""

    def handle(self, request: Request, path: Path, reply: Reply) -> Cancel | None:
        reply(Response(200, b"x" * int(path[1])))
        return None


@dataclass
class Stall(Refusing):
    """`/stall`: the worker does nothing else until it is told to go on.

    has_begun, goes_on: from any thread.
    """

    has_begun: threading.Event = field(default_factory=threading.Event)
    goes_on: threading.Event = field(default_factory=threading.Event)

    def handle(self, request: Request, path: Path, reply: Reply) -> Cancel | None:
        self.has_begun.set()
        self.goes_on.wait()
        reply(Response(200, b"{}"))
        return None


@dataclass
class Asked:
    """A request that is not answered yet; from any thread."""

    path: str
    reply: Reply
    loop: asyncio.AbstractEventLoop
    is_cancelled: bool = False

    def answer(self) -> None:
        self.loop.call_soon_threadsafe(self.reply, Response(200, msgspec.json.encode(self.path)))

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass
class Later(Refusing):
    """`/later/...`: answers when it is told to.

    asked: what waits.
    """

    asked: list[Asked] = field(default_factory=list)

    def handle(self, request: Request, path: Path, reply: Reply) -> Cancel | None:
        one = Asked(request.path, reply, asyncio.get_running_loop())
        self.asked.append(one)
        return one.cancel

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]


def desk(later: Later | None = None, stall: Stall | None = None) -> Service:
    """All of them."""
    return Service({"echo": Echo(), "later": later or Later(), "big": Big(), "stall": stall or Stall()})
