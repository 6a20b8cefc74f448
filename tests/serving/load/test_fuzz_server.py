"""Malformed requests, at the socket of a real server: they are refused, and everybody else is answered.

UNISONO_ROUNDS: quick sends 300, test 1,500, soak 200,000 new ones.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.serving.callers import Seen, post, press
from tests.serving.load.malformed import Malformer
from tests.serving.load.served import PATH, ServedProject, request_body, serving

ROUND = os.environ.get("UNISONO_ROUNDS", "test")
REQUESTS = {"quick": 300, "test": 1500, "soak": 200_000}[ROUND]
AT_ONCE = 32
GOOD_EVERY = 25
PATIENCE_S = 60.0
GROWTH_MB = 8.0
# Short, so that what never ends does not hold the test up for long.
SETTINGS = """
[serve.workers]
count = 1

[serve.http]
header_timeout_s = 0.5
body_timeout_s = 0.5
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(project: Path) -> Iterator[ServedProject]:
    with serving(project, SETTINGS) as server:
        yield server


def test_malformed_requests_are_refused_and_the_others_answered_in_bounded_memory(served: ServedProject) -> None:
    seed = random.SystemRandom().randrange(2**32) if ROUND == "soak" else 4
    print(f"seed {seed}")
    chance = Malformer(seed)
    before = _fuzz(served, chance, REQUESTS // 3)
    after = _fuzz(served, chance, REQUESTS - REQUESTS // 3)
    assert after.keys() == before.keys(), "a process ended"
    grown = {pid: after[pid] - before[pid] for pid in after}
    assert max(grown.values()) < GROWTH_MB, grown


def _fuzz(served: ServedProject, chance: Malformer, requests: int) -> dict[int, float]:
    """Send so many; returns the memory of the server's processes after that."""
    asyncio.run(_send_all(served.port, [chance.one() for _ in range(requests)]))
    return dict(served.resident_mb)


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
