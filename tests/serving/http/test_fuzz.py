"""Bytes that are no requests, or nearly: no failure of ours, no growth, and the next client is served.

UNISONO_ROUNDS: quick and test try 2,000 streams, the same each time; soak 100,000 new ones.
"""

from __future__ import annotations

import logging
import os
import random
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.serving.http.carriers import connect, own, read_all, say
from tests.serving.http.desk import desk
from tests.serving.http.streams import NEXT, READ, REFUSED
from unisono.drivers.serving.settings import Http

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")

IS_SOAK = os.environ.get("UNISONO_ROUNDS") == "soak"
ROUNDS = 100_000 if IS_SOAK else 2_000
GROWTH_BYTES = 8 << 20
"""More than memory may grow by in the second half of a run."""

KNOWN: Sequence[bytes] = [stream.data for stream in (*READ.values(), *REFUSED.values())]
DELIMITERS: Sequence[bytes] = [
    b"\r\n",
    b"\n",
    b"\r",
    b":",
    b" ",
    b"\t",
    b"\0",
    b"\r\n\r\n",
    b"0\r\n\r\n",
    b"%",
    b";",
    b",",
]
WORDS: Sequence[bytes] = [
    b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Expect: 100-continue\r\n",
    b"Upgrade: h2c\r\n", b"Connection: Upgrade\r\n", b"HTTP/1.0", b"HTTP/9.9", b"ffffffffffffffff", b"-1", b"HEAD",
    b"CONNECT",
]  # fmt: skip


def noise(chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(1, 400))


def truncated(chance: random.Random) -> bytes:
    known = chance.choice(KNOWN)
    return known[: chance.randrange(len(known))]


def mutated(chance: random.Random) -> bytes:
    """A known stream with some of it changed, removed, doubled, or with something put in."""
    data = chance.choice(KNOWN)
    for _ in range(chance.randrange(1, 5)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((0, 1, 1, 2, 8, 40)))
        put = chance.choice(
            (b"", chance.randbytes(1), chance.choice(DELIMITERS), chance.choice(WORDS), data[start:end] * 2)
        )
        data = data[:start] + put + data[end:]
    return data or b"x"


def joined(chance: random.Random) -> bytes:
    """Several, one after the other."""
    return b"".join(chance.choice((truncated, mutated))(chance) for _ in range(chance.randrange(2, 5)))


KINDS: Sequence[Callable[[random.Random], bytes]] = [noise, truncated, mutated, mutated, joined]


def pieces_of(data: bytes, chance: random.Random) -> Iterator[bytes]:
    """The data, cut at a few places."""
    places = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice((0, 0, 1, 3))))
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        yield data[start:end]


def attack(address: str, chance: random.Random) -> tuple[bytes, bytes]:
    """One stream, and all that is answered; some clients go away without reading."""
    data = chance.choice(KINDS)(chance)
    with connect(address) as connection:
        try:
            for piece in pieces_of(data, chance):
                connection.sendall(piece)
            if chance.random() < 0.1:
                return data, b""
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was refused before it was whole
        return data, read_all(connection)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def statuses_of(received: bytes) -> list[int]:
    """Of all responses, whether or not a HEAD was among the requests."""
    return [int(status) for status in _STATUS.findall(received)]


@pytest.mark.slow
def test_whatever_comes_the_server_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    seed = random.randrange(1 << 32) if IS_SOAK else 17
    print(f"seed {seed}")
    chance = random.Random(seed)
    middle_bytes = 0
    with own(desk(), Http(max_body_bytes=10_000)) as address, caplog.at_level(logging.WARNING):
        for number in range(ROUNDS):
            if number == ROUNDS // 2:
                middle_bytes = resident_bytes()
            data, received = attack(address, chance)
            assert max(statuses_of(received), default=0) < 500, (data, received)
            if number % 20 == 0:
                assert say(address, NEXT)[0].status == 200, data
    assert caplog.records == []
    if Path("/proc/self/statm").exists():
        assert resident_bytes() - middle_bytes < GROWTH_BYTES
