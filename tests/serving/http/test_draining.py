"""Stopping: what was asked is answered, what is idle is closed, and nothing holds the server up beyond its grace."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tests.serving.http.carriers import PATIENCE_S, answers_of, read_all
from tests.serving.http.desk import Later, desk
from tests.serving.running import new_loop
from unisono.drivers.serving.http.server import HttpServer
from unisono.drivers.serving.http.sockets import address_of, listen
from unisono.drivers.serving.settings import Http

HOST = b"Host: x\r\n\r\n"
MOST = 2
"""Requests of a connection that are under way at once."""
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Running:
    """A server, and clients on the same loop."""

    def __init__(self, server: HttpServer, listening: socket.socket, later: Later) -> None:
        self.server = server
        self.later = later
        self.port = listening.getsockname()[1]

    async def connect(self, asked: bytes = b"") -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(asked)
        await until(lambda: self.server.counts.accepted)
        return reader, writer


@asynccontextmanager
async def running() -> AsyncIterator[Running]:
    later = Later()
    server = HttpServer(desk(later), Http(max_pipelined=MOST))
    listening = listen("127.0.0.1", 0)
    await server.start([listening])
    try:
        yield Running(server, listening, later)
    finally:
        await server.drain(0)


async def turns() -> None:
    """Until draining has begun: a few turns of the loop."""
    for _ in range(5):
        await asyncio.sleep(0)


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            await asyncio.sleep(0.001)


def run(test: Callable[[Running], Awaitable[None]]) -> None:
    async def body() -> None:
        async with running() as one:
            await test(one)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(body())


async def end_of(client: Client) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        received = await client[0].read()
    client[1].close()
    return received


def test_what_was_asked_is_answered_and_the_connection_closed() -> None:
    async def test(one: Running) -> None:
        names = ["/later/a", "/later/b", "/later/c"]
        client = await one.connect(b"".join(b"GET %b HTTP/1.1\r\n" % name.encode() + HOST for name in names))
        await until(lambda: len(one.later.asked) == MOST)
        draining = asyncio.ensure_future(one.server.drain(PATIENCE_S))
        await turns()
        for number in range(3):
            await until(lambda number=number: len(one.later.asked) > number)  # type: ignore[misc]
            one.later.asked[number].answer()
        answers = answers_of(await end_of(client))
        await draining
        assert [answer.json for answer in answers] == names
        assert [answer.headers.get("connection") for answer in answers] == [None, None, "close"]
        assert one.server.counts.cut == 0 and one.server.connections == 0

    run(test)


def test_what_was_begun_is_finished() -> None:
    async def test(one: Running) -> None:
        client = await one.connect(b"POST /echo HTTP/1.1\r\nContent-Length: 3\r\n" + HOST + b"a")
        draining = asyncio.ensure_future(one.server.drain(PATIENCE_S))
        await turns()
        client[1].write(b"bc")
        answers = answers_of(await end_of(client))
        await draining
        assert answers[0].json["body"] == "abc" and answers[0].headers["connection"] == "close"

    run(test)


def test_what_is_idle_is_closed_at_once() -> None:
    async def test(one: Running) -> None:
        fresh = await one.connect()
        used = await one.connect(b"GET /echo HTTP/1.1\r\n" + HOST)
        await used[0].readuntil(b'"body":""}')
        await one.server.drain(PATIENCE_S)
        assert [await end_of(fresh), await end_of(used)] == [b"", b""]

    run(test)


def test_after_a_farewell_the_next_answer_is_the_last() -> None:
    """A client that is idle may be about to ask: its connection is not closed under it."""

    async def test(one: Running) -> None:
        idle, busy = await one.connect(), await one.connect(b"GET /later/a HTTP/1.1\r\n" + HOST)
        await until(lambda: one.later.asked)
        leaving = asyncio.ensure_future(one.server.farewell(PATIENCE_S))
        await turns()
        one.later.asked[0].answer()
        idle[1].write(b"GET /echo HTTP/1.1\r\n" + HOST)
        answers = [*answers_of(await end_of(busy)), *answers_of(await end_of(idle))]
        await leaving
        assert [answer.headers.get("connection") for answer in answers] == ["close", "close"]

    run(test)


def test_a_farewell_waits_no_longer_than_it_is_told_to() -> None:
    async def test(one: Running) -> None:
        client = await one.connect()
        await one.server.farewell(0.02)
        assert one.server.connections == 1
        client[1].close()

    run(test)


def test_whoever_waits_to_be_let_in_at_a_farewell_is_answered() -> None:
    """The system has accepted it, the server has not yet."""

    async def test(one: Running) -> None:
        with socket.create_connection(("127.0.0.1", one.port), timeout=PATIENCE_S) as late:
            late.sendall(b"GET /echo HTTP/1.1\r\n" + HOST)
            await one.server.farewell(PATIENCE_S)
            assert answers_of(read_all(late))[0].headers["connection"] == "close"

    run(test)


def test_nobody_is_let_in_any_more() -> None:
    async def test(one: Running) -> None:
        await one.server.drain(PATIENCE_S)
        with pytest.raises(ConnectionError):
            await one.connect()

    run(test)


def test_what_is_not_done_after_the_grace_is_cut() -> None:
    async def test(one: Running) -> None:
        client = await one.connect(b"GET /later/a HTTP/1.1\r\n" + HOST)
        await until(lambda: one.later.asked)
        await one.server.drain(0.05)
        assert one.server.counts.cut == 1
        await until(lambda: one.later.asked[0].is_cancelled)
        assert await end_of(client) == b""

    run(test)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_an_address_is_a_url(host: str) -> None:
    with listen(host, 0) as listening:
        port = listening.getsockname()[1]
        assert address_of(listening) in {f"http://127.0.0.1:{port}", f"http://[::1]:{port}"}
        assert address_of(listening, is_encrypted=True).startswith("https://")


def test_several_may_share_a_port() -> None:
    first = listen("127.0.0.1", 0, is_shared=True)
    with first, listen("127.0.0.1", first.getsockname()[1], is_shared=True) as second:
        assert first.getsockname() == second.getsockname()
