"""What a connection may use up: sizes, times, and how many there are."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import to_builtins

from tests.serving.http.carriers import PATIENCE_S, answers_of, connect, own, read_all, read_some, say, wait_until
from tests.serving.http.desk import Later, Stall, desk
from tests.serving.http.wires import Wire
from unisono.drivers.serving.http.connection import Connection
from unisono.drivers.serving.http.connections import MOST_LINGERING, Connections
from unisono.drivers.serving.settings import Http

HOST = b"Host: x\r\n"
GET = b"GET /echo HTTP/1.1\r\n" + HOST
POST = b"POST /echo HTTP/1.1\r\n" + HOST

SMALL = Http(
    max_body_bytes=10_000, max_target_bytes=1000, max_header_bytes=4000, max_headers=10, max_connections=20,
    header_timeout_s=0.4, body_timeout_s=0.4, keep_alive_s=0.4, write_timeout_s=0.4,
)  # fmt: skip


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with own(desk(), SMALL) as started:
        yield started


@pytest.fixture(autouse=True)
def still_serves(address: str) -> Iterator[None]:
    """Whatever one client does, the next is answered."""
    yield
    assert say(address, GET + b"\r\n")[0].status == 200


def code_of(address: str, *pieces: bytes) -> tuple[int, str]:
    """Of the one refusal after which the server closes, whether or not the client goes on sending."""
    with connect(address) as connection:
        for piece in pieces:
            try:
                connection.sendall(piece)
            except ConnectionError:
                break
        answers = answers_of(read_all(connection))
    assert len(answers) == 1 and answers[0].headers["connection"] == "close"
    return answers[0].status, answers[0].json["code"]


# Sizes ----------------------------------------------------------------------------------------------------------------


def test_an_address_of_just_the_limit_is_read(address: str) -> None:
    target = b"/echo?" + b"a" * 994
    assert say(address, b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n")[0].status == 200
    assert code_of(address, b"GET " + target + b"a HTTP/1.1\r\n" + HOST + b"\r\n") == (414, "address_too_long")
    assert code_of(address, b"GET /" + b"a" * 200_000) == (414, "address_too_long")


def test_headers_of_just_the_limit_are_read(address: str) -> None:
    room = 4000 - (len("Host") + len("x") + 4) - (len("A") + 4)
    assert say(address, GET + b"A: " + b"b" * room + b"\r\n\r\n")[0].status == 200
    assert code_of(address, GET + b"A: " + b"b" * (room + 1) + b"\r\n\r\n") == (431, "headers_too_large")


@pytest.mark.parametrize(
    "pieces",
    [
        [b"A: " + b"b" * 200_000],
        [b"a" * 200_000],
        [b"A: b\r\n" * 50_000],
        [b"A: ", *[b"b" * 500] * 60],
        [b"".join(b"A%d: b\r\n" % number for number in range(10)), b"\r\n"],
    ],
    ids=["a value that does not end", "a name that does not end", "one header again and again", "drop by drop", "many"],
)
def test_more_headers_are_refused(address: str, pieces: list[bytes]) -> None:
    assert code_of(address, GET, *pieces) == (431, "headers_too_large")


def test_a_body_above_the_limit_is_refused_before_it_is_sent(address: str) -> None:
    assert code_of(address, POST + b"Content-Length: 10001\r\n\r\n") == (413, "body_too_large")
    assert code_of(address, POST + b"Content-Length: 104857600\r\nExpect: 100-continue\r\n\r\n") == (
        413,
        "body_too_large",
    )


def test_chunks_are_cut_off_at_the_limit(address: str) -> None:
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"3e8\r\n" + b"a" * 1000 + b"\r\n"
    assert say(address, chunked + chunk * 10 + b"0\r\n\r\n")[0].status == 200
    assert code_of(address, chunked + chunk * 10, b"1\r\na\r\n") == (413, "body_too_large")


@pytest.mark.parametrize(
    "around",
    [
        b"1;" + b"a" * 100_000 + b"\r\nb\r\n0\r\n\r\n",
        b"0" * 100_000 + b"1\r\nb\r\n0\r\n\r\n",
        (b"1;" + b"a" * 1000 + b"\r\nb\r\n") * 100,
    ],
    ids=["a long extension", "a long size", "an extension a chunk"],
)
def test_more_around_the_chunks_than_in_them_is_refused(address: str, around: bytes) -> None:
    assert code_of(address, POST + b"Transfer-Encoding: chunked\r\n\r\n" + around) == (400, "bad_request")


def test_trailers_are_limited_like_headers(address: str) -> None:
    trailers = b"0\r\n" + b"A: b\r\n" * 1000 + b"\r\n"
    assert code_of(address, POST + b"Transfer-Encoding: chunked\r\n\r\n" + trailers) == (431, "headers_too_large")


# Times ----------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "begun", [b"", b"GET /ec", GET, GET + b"A: b"], ids=["nothing", "a line", "a host", "a header"]
)
def test_headers_that_do_not_come_are_given_up(address: str, begun: bytes) -> None:
    assert code_of(address, begun) == (408, "request_timeout")


@pytest.mark.slow
@pytest.mark.parametrize(
    "begun",
    [b"Content-Length: 50\r\n\r\n", b"Content-Length: 50\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"],
    ids=["no body", "its first byte", "half a chunk"],
)
def test_a_body_that_does_not_come_is_given_up(address: str, begun: bytes) -> None:
    assert code_of(address, POST + begun) == (408, "request_timeout")


@pytest.mark.slow
def test_headers_that_come_a_byte_at_a_time_are_given_up_all_the_same(address: str) -> None:
    """Slow-loris: every byte shows that the client lives, and none is the last."""
    with connect(address) as connection:
        connection.sendall(GET)
        connection.settimeout(0.02)
        received = b""
        while not received:
            connection.sendall(b"A")
            try:
                received = connection.recv(1 << 16)
            except TimeoutError:
                continue
    assert received.startswith(b"HTTP/1.1 408 ")


@pytest.mark.slow
def test_half_a_request_after_a_whole_one_is_given_up_in_its_turn(address: str) -> None:
    with connect(address) as connection:
        connection.sendall(GET + b"\r\n" + GET)
        answers = answers_of(read_all(connection))
    assert [one.status for one in answers] == [200, 408]


@pytest.mark.slow
def test_what_came_in_time_is_answered_though_the_worker_stood_still() -> None:
    """Its own stall is nobody's fault: what came meanwhile is read before clients are judged."""
    stall = Stall()
    with own(desk(stall=stall), SMALL) as address, connect(address) as fresh, connect(address) as begun:
        begun.sendall(POST + b"Content-Length: 2\r\n\r\n{")
        with connect(address) as stalling:
            stalling.sendall(b"GET /stall HTTP/1.1\r\n" + HOST + b"\r\n")
            assert stall.has_begun.wait(PATIENCE_S)
            fresh.sendall(GET + b"\r\n")
            begun.sendall(b"}")
            time.sleep(3 * SMALL.header_timeout_s)
            stall.goes_on.set()
            assert [read_some(one, 1)[0].status for one in (stalling, fresh, begun)] == [200, 200, 200]


@pytest.mark.slow
def test_a_connection_without_a_request_is_closed_after_a_while(address: str) -> None:
    with connect(address) as connection:
        connection.sendall(GET + b"\r\n")
        answers = answers_of(read_all(connection))
    assert [one.status for one in answers] == [200] and "connection" not in answers[0].headers


@pytest.mark.slow
def test_a_client_that_does_not_read_its_answers_is_cut_off(address: str) -> None:
    with connect(address) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"GET /big/30000000 HTTP/1.1\r\n" + HOST + b"\r\n")
        wait_until(lambda: connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or _is_reset(connection))


def _is_reset(connection: socket.socket) -> bool:
    try:
        connection.send(b"\r\n")
    except (ConnectionError, BlockingIOError):
        return True
    return False


# How many -------------------------------------------------------------------------------------------------------------


def test_a_connection_that_is_one_too_many_is_told_so_and_closed(address: str) -> None:
    later = Later()
    limits = Http(max_connections=3)
    with own(desk(later), limits) as full:
        held = [connect(full) for _ in range(3)]
        for connection in held:
            connection.sendall(b"GET /later HTTP/1.1\r\n" + HOST + b"\r\n")
        wait_until(lambda: len(later.asked) == 3)
        for _ in range(10):
            answers = say(full, GET + b"\r\n")
            assert [one.status for one in answers] == [503]
            assert answers[0].headers["retry-after"] == "1" and answers[0].json["code"] == "overloaded"
        for one in later.asked:
            one.answer()
        for connection in held:
            assert read_some(connection, 1)[0].status == 200
            connection.close()
        wait_until(lambda: say(full, GET + b"\r\n")[0].status == 200)


def test_only_so_many_of_those_that_are_too_many_are_waited_for() -> None:
    connections = Connections(desk(), Http(max_connections=1))
    wires = [Wire() for _ in range(MOST_LINGERING + 3)]
    for wire in wires:
        Connection(connections).connection_made(wire)
    first, *others = wires
    assert not first.is_closed and all(wire.is_closed and b" 503 " in wire.written for wire in others)
    assert [wire.may_send for wire in others] == [True] * MOST_LINGERING + [False] * 2


# As they are documented -----------------------------------------------------------------------------------------------


def test_the_page_says_the_defaults() -> None:
    page = Path(__file__).parents[3] / "docs" / "http.md"
    rows = re.findall(r"^\| (`.*?`) \| ([\d, ]+) \|", page.read_text(), re.MULTILINE)
    told = {
        name: float(value)
        for names, values in rows
        for name, value in zip(re.findall(r"`(\w+)`", names), values.split(", "), strict=True)
    }
    assert told == {name: value for name, value in to_builtins(Http()).items() if not isinstance(value, str)}
