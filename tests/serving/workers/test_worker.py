"""The process of a worker, in this one: what it makes of what it is told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from tests.serving.workers.actor import Actor
from tests.serving.workers.test_channel import boot
from unisono.drivers.serving.settings import Calls
from unisono.drivers.serving.versions.routes import Routes
from unisono.drivers.serving.workers.asking import Asking
from unisono.drivers.serving.workers.channel import Channel
from unisono.drivers.serving.workers.messages import (
    Applied,
    Boot,
    Configure,
    Failed,
    FromWorker,
    Listening,
    Ping,
    Pong,
    Stop,
    Tokens,
)
from unisono.drivers.serving.workers.worker import Process
from unisono.spec.errors import StoreError

PATIENCE_S = 30.0
BOOT = replace(boot(), host="127.0.0.1", port=0)
LATER = replace(BOOT.routes[0], revision=7)


def told(*messages: Any, make: Callable[[Boot, Asking], Actor] = Actor, until: type | None = Listening) -> list[Any]:
    """What a worker says to a keeper that says all this at once, up to a message of a kind; None: until it ends."""

    async def work() -> list[Any]:
        ours, theirs = socket.socketpair()
        said: list[Any] = []
        ended, found = asyncio.Event(), asyncio.Event()

        def heard(message: Any) -> None:
            said.append(message)
            if until is not None and isinstance(message, until):
                found.set()

        keeper: Channel[Any] = Channel(FromWorker, heard, ended.set)
        await keeper.open(ours)
        for message in messages:
            keeper.send(message)
        working = asyncio.ensure_future(Process(theirs, make).work())
        async with asyncio.timeout(PATIENCE_S):
            await (ended if until is None else found).wait()
            keeper.close()
            await working
        return said

    return asyncio.run(work())


@pytest.mark.slow
def test_what_comes_together_with_the_boot_comes_after_it() -> None:
    made: list[Actor] = []

    def make(read: Boot, asking: Asking) -> Actor:
        made.append(Actor(read, asking))
        return made[0]

    settings = replace(BOOT.settings, calls=Calls(rows=3))
    said = told(BOOT, LATER, Configure(settings), Tokens([]), Ping(5), make=make)
    assert [one.revision for one in said if isinstance(one, Applied)] == [0, 7]
    assert [one.number for one in said if isinstance(one, Pong)] == [5]
    assert isinstance(said[-1], Listening)
    assert made[0].routes == {"risk": LATER}
    assert (made[0].settings, made[0].tokens) == (settings, [])


def test_a_worker_that_cannot_be_made_says_why_and_ends() -> None:
    def make(read: Boot, asking: Asking) -> Actor:
        raise StoreError("the access log cannot be opened")

    assert told(BOOT, LATER, Ping(1), make=make, until=None) == [Failed("the access log cannot be opened")]


def test_a_worker_that_is_stopped_while_it_starts_ends() -> None:
    class Slow(Actor):
        def apply(self, routes: Routes, done: Callable[[Exception | None], None]) -> None:
            pass

    assert told(BOOT, Stop(0.0, 1.0), make=Slow, until=None) == []
