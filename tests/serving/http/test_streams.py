"""One byte stream has one reading, however it is cut; what could have two is refused, and the connection closed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from tests.serving.http.carriers import Answer, answers_of, own, say
from tests.serving.http.desk import desk
from tests.serving.http.streams import NEXT, READ, REFUSED, Stream
from tests.serving.http.wires import Wire
from unisono.drivers.serving.http.connection import Connection
from unisono.drivers.serving.http.connections import Connections
from unisono.drivers.serving.settings import Http

LIMITS = Http(max_body_bytes=10_000)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with own(desk(), LIMITS) as started:
        yield started


def read(pieces: Iterable[bytes]) -> tuple[list[Answer], bool]:
    """What a client is answered, and whether the connection is closed."""
    wire = Wire()
    connection = Connection(Connections(desk(), LIMITS))
    connection.connection_made(wire)
    for piece in pieces:
        connection.data_received(piece)
    connection.connection_lost(None)
    return answers_of(wire.written), wire.is_closed


def judge(stream: Stream, answers: list[Answer], *, is_closed: bool) -> None:
    first = answers[0]
    assert first.status == stream.status
    if stream.code:
        assert first.json["code"] == stream.code and "allowed: " in first.json["detail"]
        assert first.headers["connection"] == "close" and is_closed and len(answers) == 1
    else:
        assert first.json["path"] == "/echo" and first.json["body"] == stream.body
        assert [one.json["path"] for one in answers[1:]] == ["/echo/next"] and not is_closed


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """The data whole, in two at every byte (long ones: at every byte near their ends), and byte by byte."""
    yield [data]
    for at in range(1, len(data)):
        if at < 300 or len(data) - at < 150:
            yield [data[:at], data[at:]]
    yield [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize("name", [*READ, *REFUSED])
def test_a_stream_is_read_in_one_way_however_it_is_cut(name: str) -> None:
    stream = READ[name] if name in READ else REFUSED[name]
    for pieces in cuts(stream.data + NEXT):
        answers, is_closed = read(pieces)
        judge(stream, answers, is_closed=is_closed)


@pytest.mark.parametrize("name", [*READ, *REFUSED])
def test_a_stream_is_read_so_over_a_real_connection(address: str, name: str) -> None:
    stream = READ[name] if name in READ else REFUSED[name]
    answers = say(address, stream.data + NEXT)
    judge(stream, answers, is_closed=bool(stream.code))


def test_what_comes_after_a_refusal_is_never_read() -> None:
    answers, is_closed = read([*(stream.data for stream in REFUSED.values()), NEXT])
    assert len(answers) == 1 and is_closed


def test_what_is_no_request_is_refused_after_a_wish_to_upgrade_too() -> None:
    answers, is_closed = read([READ["a wish to upgrade"].data + b"nonsense\r\n\r\n"])
    assert [one.status for one in answers] == [200, 400] and is_closed
