"""Malformed requests, at the sockets of a real server: they are refused, and everybody else is answered.

UNISONO_ROUNDS: quick sends 300 over HTTP and gRPC together, test 1,500, soak 200,000 new ones.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest

from benchmarks.serving.callers import Seen, post, press
from benchmarks.serving.measuring import free_port
from tests.serving.load.malformed import Malformer
from tests.serving.load.malformed_calls import INFER, CallMalformer, valid_message
from tests.serving.load.served import PATH, ServedProject, request_body, serving

ROUND = os.environ.get("UNISONO_ROUNDS", "test")
REQUESTS = {"quick": 300, "test": 1500, "soak": 200_000}[ROUND]
AT_ONCE = 32
GOOD_EVERY = 25
PATIENCE_S = 60.0
GROWTH_MB = 8.0
FAULTS = (
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)
# Not so short that somebody is late who is only slow, on a busy machine.
SETTINGS = """
[serve.grpc]
port = %d

[serve.workers]
count = 1

[serve.http]
header_timeout_s = 5.0
body_timeout_s = 5.0
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def grpc_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def served(project: Path, grpc_port: int) -> Iterator[ServedProject]:
    with serving(project, SETTINGS % grpc_port) as server:
        yield server


@pytest.fixture(scope="module")
def seed() -> int:
    found = random.SystemRandom().randrange(2**32) if ROUND == "soak" else 4
    print(f"seed {found}")
    return found


def test_malformed_requests_are_refused_and_the_others_answered_in_bounded_memory(
    served: ServedProject, seed: int
) -> None:
    chance = Malformer(seed)
    _fuzz(served, lambda count: asyncio.run(_send_all(served.port, [chance.one() for _ in range(count)])))


def test_malformed_calls_are_refused_and_the_others_answered_in_bounded_memory(
    served: ServedProject, grpc_port: int, seed: int
) -> None:
    chance = CallMalformer(seed)
    with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:

        def call_all(count: int) -> None:
            for start in range(0, count, AT_ONCE):
                _call_some(channel, chance, min(AT_ONCE, count - start))
                asyncio.run(_send(grpc_port, chance.frames()))

        _fuzz(served, call_all)


def _fuzz(served: ServedProject, send: Callable[[int], None]) -> None:
    """Send a third of the requests, then the others, which must not take more memory."""
    count = REQUESTS // 2
    send(count // 3)
    before = served.resident_mb
    send(count - count // 3)
    after = served.resident_mb
    assert after.keys() == before.keys(), "a process ended"
    grown = {pid: after[pid] - before[pid] for pid in after}
    assert max(grown.values()) < GROWTH_MB, grown


def _call_some(channel: grpc.Channel, chance: CallMalformer, count: int) -> None:
    """So many malformed calls at once, then one that is answered."""
    calls = [chance.message() for _ in range(count)]
    waiting = [_method(channel, path).future(message, timeout=PATIENCE_S) for path, message in calls]
    for call, answer in zip(calls, waiting, strict=True):
        assert answer.code() not in FAULTS, (answer.code(), answer.details(), call)
    _method(channel, INFER)(valid_message(), timeout=PATIENCE_S)  # raises if it is not answered


def _method(channel: grpc.Channel, path: str) -> grpc.UnaryUnaryMultiCallable[bytes, bytes]:
    return channel.unary_unary(path)


async def _send_all(port: int, malformed: list[bytes]) -> None:
    numbers = iter(range(len(malformed)))

    async def keep_sending() -> None:
        for number in numbers:
            _judge(malformed[number], await asyncio.wait_for(_send(port, malformed[number]), PATIENCE_S))
            if number % GOOD_EVERY == 0:
                await _ask_as_usual(port, number)

    await asyncio.gather(*(keep_sending() for _ in range(AT_ONCE)))


async def _send(port: int, data: bytes) -> bytes:
    """Send something and stop sending; or, one time in four, vanish. Returns what is answered until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        if len(data) % 4 == 0:
            _vanish(writer)
            return b""
        writer.write_eof()
        return await reader.read(1 << 20)
    except ConnectionError:  # it had enough
        return b""
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def _vanish(writer: asyncio.StreamWriter) -> None:
    """Be gone, without as much as a goodbye."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _judge(sent: bytes, answered: bytes) -> None:
    for status in _statuses(answered):
        assert status < 500 or status == 503, (status, sent[:2000], answered[:2000])


def _statuses(answered: bytes) -> Iterator[int]:
    """Of the responses, one after the other; what is no response is a failure."""
    while answered:
        head, _, rest = answered.partition(b"\r\n\r\n")
        line, *headers = head.lower().split(b"\r\n")
        assert line.startswith(b"http/1.1 "), answered[:2000]
        length = sum(
            int(one.removeprefix(b"content-length: ")) for one in headers if one.startswith(b"content-length: ")
        )
        yield int(line.split()[1])
        answered = rest[length:]


async def _ask_as_usual(port: int, number: int) -> None:
    seen: list[Seen] = []
    await press(port, [post(PATH, request_body(number))], [0], seen.append, connections=1)
    assert [one.status for one in seen] == [200], seen
    assert b'"probability":' in seen[0].body
