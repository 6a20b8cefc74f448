"""Requests and answers on one connection: their order, their form, and clients that go away."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from tests.serving.http.carriers import (
    CARRIERS,
    Answer,
    answers_of,
    connect,
    read_all,
    read_bytes,
    read_some,
    say,
    wait_until,
)
from tests.serving.http.desk import Later, desk
from unisono.drivers.serving.settings import Http

pytestmark = pytest.mark.slow

HOST = b"Host: x\r\n"
GET = b"GET /echo HTTP/1.1\r\n" + HOST
POST = b"POST /echo HTTP/1.1\r\n" + HOST
Leave = Callable[[socket.socket], None]
MOST = 4
"""Requests of a connection that are under way at once."""


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture
def address(later: Later, carrier: str) -> Iterator[str]:
    with CARRIERS[carrier](desk(later), Http(max_pipelined=MOST)) as started:
        yield started


def ask(*names: str) -> bytes:
    """Pipelined requests that are answered later."""
    return b"".join(b"GET /later/%b HTTP/1.1\r\n" % name.encode() + HOST + b"\r\n" for name in names)


def names_of(answers: list[Answer]) -> list[str]:
    return [one.json.removeprefix("/later/") for one in answers]


# Order ----------------------------------------------------------------------------------------------------------------


def test_answers_come_in_the_order_of_the_requests(address: str, later: Later) -> None:
    with connect(address) as connection:
        connection.sendall(ask("a", "b", "c"))
        wait_until(lambda: len(later.asked) == 3)
        for number in (2, 0, 1):
            later.asked[number].answer()
        assert names_of(read_some(connection, 3)) == ["a", "b", "c"]


def test_no_more_than_so_many_are_under_way_and_the_rest_waits(address: str, later: Later) -> None:
    names = [str(number) for number in range(200)]
    with connect(address) as connection:
        connection.sendall(ask(*names))
        received: list[Answer] = []
        for number in range(200):
            wait_until(lambda number=number: len(later.asked) == min(number + MOST, 200))  # type: ignore[misc]
            later.asked[number].answer()
            received += read_some(connection, 1)
        assert names_of(received) == names


def test_answers_that_are_there_at_once_do_not_pile_up_on_the_stack(address: str, later: Later) -> None:
    with connect(address) as connection:
        connection.sendall(ask(*"abcd") + (GET + b"\r\n") * 3000)
        wait_until(lambda: len(later.asked) == MOST)
        for one in reversed(later.asked):
            one.answer()
        answers = read_some(connection, 3004)
    assert names_of(answers[:4]) == list("abcd") and {one.status for one in answers} == {200}


def test_a_refusal_waits_for_the_answers_before_it(address: str, later: Later) -> None:
    with connect(address) as connection:
        connection.sendall(ask("a", "b") + b"nonsense\r\n\r\n")
        wait_until(lambda: len(later.asked) == 2)
        later.asked[1].answer()
        later.asked[0].answer()
        answers = answers_of(read_all(connection))
    assert [one.status for one in answers] == [200, 200, 400]


def test_a_client_that_does_not_read_is_not_read_either(address: str, later: Later) -> None:
    """Its requests wait in its own buffers, and no answers pile up in ours."""
    large = b"GET /big/1000000 HTTP/1.1\r\n" + HOST + b"\r\n"
    with connect(address) as connection:
        connection.sendall(large)
        begun = connection.recv(1 << 16)
        size = begun.index(b"\r\n\r\n") + 4 + 1_000_000
        read_bytes(connection, size - len(begun))
        connection.sendall(large * 30 + ask("last"))
        read_bytes(connection, size)
        assert not later.asked
        read_bytes(connection, size * 29)
        wait_until(lambda: later.asked)
        later.asked[0].answer()
        assert names_of(read_some(connection, 1)) == ["last"]


# Form -----------------------------------------------------------------------------------------------------------------


def test_a_request_is_handed_over_whole(address: str) -> None:
    head = (
        b"POST /echo/%64elay%20one?a=%20b HTTP/1.1\r\n" + HOST + b"X-A: first\r\nx-a: last\r\nContent-Length: 2\r\n\r\n"
    )
    asked = say(address, head + b"{}")[0].json
    assert (asked["method"], asked["path"], asked["query"]) == ("POST", "/echo/delay one", "a=%20b")
    assert asked["headers"] == {"host": "x", "x-a": "last", "content-length": "2"} and asked["body"] == "{}"


def test_a_path_is_decoded_once(address: str) -> None:
    assert say(address, b"GET /echo/%2564 HTTP/1.1\r\n" + HOST + b"\r\n")[0].json["path"] == "/echo/%64"


def test_every_response_has_the_headers_that_browsers_obey(address: str) -> None:
    for answer in (*say(address, GET + b"\r\n"), *say(address, b"GET /nothing HTTP/1.1\r\n" + HOST + b"\r\n")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def test_a_head_is_answered_without_a_body(address: str) -> None:
    head = b"HEAD /echo HTTP/1.1\r\n" + HOST + b"\r\n"
    with connect(address) as connection:
        connection.sendall(head + GET + b"\r\n" + GET + b"Connection: close\r\n\r\n")
        answers = answers_of(read_all(connection), heads=[0])
    assert [one.status for one in answers] == [200, 200, 200]
    assert int(answers[0].headers["content-length"]) == len(answers[1].body) + len("HEAD") - len("GET")


@pytest.mark.parametrize("request_line", [b"GET /echo HTTP/1.1\r\nConnection: close\r\n", b"GET /echo HTTP/1.0\r\n"])
def test_a_connection_is_closed_when_its_client_likes(address: str, request_line: bytes) -> None:
    with connect(address) as connection:
        connection.sendall(request_line + HOST + b"\r\n")
        answers = answers_of(read_all(connection))
    assert [(one.status, one.headers["connection"]) for one in answers] == [(200, "close")]


def test_a_kept_connection_of_http_1_0_says_so(address: str) -> None:
    with connect(address) as connection:
        for _ in range(2):
            connection.sendall(b"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert [one.headers["connection"] for one in read_some(connection, 1)] == ["keep-alive"]


def test_nothing_is_read_after_the_last_request(address: str, later: Later) -> None:
    last = b"GET /later/a HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    with connect(address) as connection:
        connection.sendall(last + ask("b"))
        wait_until(lambda: later.asked)
        later.asked[0].answer()
        assert names_of(answers_of(read_all(connection))) == ["a"]
    assert later.paths() == ["/later/a"]


def test_a_client_that_waits_to_be_told_to_send_its_body_is_told_so(address: str) -> None:
    with connect(address) as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert [one.status for one in read_some(connection, 1)] == [100]
        connection.sendall(b"abc")
        assert read_some(connection, 1)[0].json["body"] == "abc"


def test_it_is_told_so_after_the_answers_before(address: str, later: Later) -> None:
    with connect(address) as connection:
        connection.sendall(ask("a") + POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        wait_until(lambda: later.asked)
        later.asked[0].answer()
        assert [one.status for one in read_some(connection, 2)] == [200, 100]
        connection.sendall(b"abc")
        assert read_some(connection, 1)[0].json["body"] == "abc"


# Going away -----------------------------------------------------------------------------------------------------------


def reset(connection: socket.socket) -> None:
    """Go away at once, as a process that is killed over unread bytes."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("leave", [reset, socket.socket.close], ids=["reset", "close"])
def test_what_a_client_asked_is_taken_back_when_it_goes(address: str, later: Later, leave: Leave) -> None:
    with connect(address) as connection:
        connection.sendall(ask("a"))
        wait_until(lambda: later.asked)
        leave(connection)
    wait_until(lambda: later.asked[0].is_cancelled)
    later.asked[0].answer()  # comes too late, and disturbs nobody
    assert say(address, GET + b"\r\n")[0].status == 200


@pytest.mark.parametrize("leave", [reset, socket.socket.close], ids=["reset", "close"])
def test_all_that_it_asked_is_taken_back_but_for_what_is_answered(address: str, later: Later, leave: Leave) -> None:
    with connect(address) as connection:
        connection.sendall(ask("a", "b", "c"))
        wait_until(lambda: len(later.asked) == 3)
        later.asked[1].answer()
        leave(connection)
    wait_until(lambda: later.asked[0].is_cancelled and later.asked[2].is_cancelled)
    assert not later.asked[1].is_cancelled


def test_a_client_that_only_sends_nothing_more_gets_its_answers(address: str, later: Later) -> None:
    with connect(address) as connection:
        connection.sendall(ask("a", "b") + GET)
        wait_until(lambda: len(later.asked) == 2)
        connection.shutdown(socket.SHUT_WR)
        provisional = read_some(connection, 2)
        assert {one.status for one in provisional} == {100}
        for one in later.asked:
            one.answer()
        answers = [one for one in answers_of(read_all(connection)) if one.status != 100]
    assert names_of(answers) == ["a", "b"] and not any(one.is_cancelled for one in later.asked)
    assert "connection" not in answers[0].headers and answers[1].headers["connection"] == "close"


def test_all_that_it_asked_before_is_answered_however_much_waits(address: str, later: Later) -> None:
    names = [str(number) for number in range(300)]
    with connect(address) as connection:
        connection.sendall(ask(*names))
        connection.shutdown(socket.SHUT_WR)
        for number in range(300):
            wait_until(lambda number=number: len(later.asked) > number)  # type: ignore[misc]
            later.asked[number].answer()
        answers = [one for one in answers_of(read_all(connection)) if one.status != 100]
    assert names_of(answers) == names


def test_half_a_request_before_the_end_is_no_request(address: str, later: Later) -> None:
    assert say(address, GET) == []
    assert say(address, POST + b"Content-Length: 3\r\n\r\nab") == []
