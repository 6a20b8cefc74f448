"""Messages between processes."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from tests.drivers.streams import ready
from unisono.drivers.online.plan import plan_of
from unisono.drivers.online.plan_json import plan_from, plan_json
from unisono.drivers.serving.settings import Serve
from unisono.drivers.serving.versions.routes import Routes
from unisono.drivers.serving.workers.channel import Channel
from unisono.drivers.serving.workers.messages import Boot, Done, FromKeeper, FromWorker, Listening, Ping, Predictor


def boot() -> Boot:
    return Boot(
        slot=1,
        workers=2,
        host="::1",
        port=80,
        root="root",
        shared="shared",
        log="",
        is_json=True,
        settings=Serve(port=0),
        tokens=None,
        predictors=[Predictor(plan_json(plan_of(ready())), "states")],
        routes=[Routes("risk", {"v": "path"}, {"champion": "v"}, split={"challenger": 0.25})],
    )


async def exchange(send: list[Any], *, pieces: int = 0) -> list[Any]:
    """What comes out at the other end until it is closed.

    pieces: of so many bytes the stream arrives; 0: as the system likes.
    """
    ours, theirs = socket.socketpair()
    received: list[Any] = []
    closed = asyncio.Event()
    await Channel(FromKeeper, received.append, closed.set).open(theirs)
    writer: Channel[Any] = Channel(FromWorker, lambda message: None, lambda: None)
    between = await in_pieces(ours, pieces) if pieces else ours
    await writer.open(between)
    for message in send:
        writer.send(message)
    writer.close()
    await asyncio.wait_for(closed.wait(), 20)
    return received


async def in_pieces(end: socket.socket, size: int) -> socket.socket:
    """A socket whose bytes reach an end a few at a time."""
    taken, given = socket.socketpair()
    taken.setblocking(False)
    end.setblocking(False)

    async def carry() -> None:
        loop = asyncio.get_running_loop()
        while piece := await loop.sock_recv(taken, size):
            await loop.sock_sendall(end, piece)
        taken.close()
        end.close()

    task = asyncio.ensure_future(carry())
    CARRYING.add(task)
    task.add_done_callback(CARRYING.discard)
    return given


CARRYING: set[asyncio.Future[None]] = set()


@pytest.mark.parametrize("pieces", [0, 1, 7], ids=["whole", "byte by byte", "in sevens"])
def test_messages_arrive_whole_and_in_order(pieces: int) -> None:
    sent = [boot(), Ping(1), Done(2, "an error", b"{}"), *(Ping(number) for number in range(50))]
    assert asyncio.run(exchange(sent, pieces=pieces)) == sent


def test_a_plan_is_the_same_on_the_other_side() -> None:
    plan = plan_of(ready())
    (received,) = asyncio.run(exchange([boot()]))
    assert plan_from(received.predictors[0].plan) == plan
    assert plan_from(received.predictors[0].plan).identities == plan.identities


def test_sending_to_nobody_is_no_error() -> None:
    async def work() -> None:
        ours, theirs = socket.socketpair()
        closed = asyncio.Event()
        channel: Channel[Any] = Channel(FromWorker, lambda message: None, closed.set)
        channel.send(Ping(1))
        await channel.open(ours)
        theirs.close()
        await asyncio.wait_for(closed.wait(), 20)
        channel.send(Listening())
        channel.close()

    asyncio.run(work())
