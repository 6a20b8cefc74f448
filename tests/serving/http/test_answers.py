"""The server: what it answers, what it refuses, and that it goes on afterwards."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

import unisono as un
from tests.drivers.logs import World
from tests.drivers.streams import Adder
from tests.serving.conftest import LIMITS, Client, frame_of, service
from tests.serving.running import Server
from unisono.drivers.online.predictor import OnlinePredictor


def test_a_prediction_is_answered_with_version_position_and_time(
    client: Client, online: OnlinePredictor, world: World, request_row: dict[str, Any]
) -> None:
    status, answer = client.ask(request_row)
    features = online.answer(json.dumps(request_row).encode()).features
    total = Adder().score(frame_of(world, request_row), features)["prediction"][0]
    assert status == 200
    assert answer["prediction"]["prediction"] == total
    assert answer["version"] == "adder" and answer["position"] == online.store.last.position
    assert answer["time"].rstrip("Z") == request_row["asked_at"].rstrip("Z").removesuffix(".000000")


def test_health_says_that_it_lives_and_is_ready(client: Client, online: OnlinePredictor) -> None:
    assert client.send("GET", "/health/live") == (200, {"status": "live"})
    status, answer = client.send("GET", "/health/ready")
    assert (status, answer) == (200, {"status": "ready", "positions": {"risk": online.store.last.position}})


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/predict/risk", 405, "method_not_allowed"),
        ("POST", "/health/live", 405, "method_not_allowed"),
        ("POST", "/predict/risc", 404, "no_such_model"),
        ("POST", "/predict/", 404, "no_such_model"),
        ("POST", "/", 404, "no_such_path"),
        ("GET", "/../etc/passwd", 404, "no_such_path"),
    ],
)
def test_another_address_or_method_is_refused(client: Client, method: str, path: str, status: int, code: str) -> None:
    seen, answer = client.send(method, path)
    assert (seen, answer["code"]) == (status, code)
    assert "allowed: " in answer["detail"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"user":"\xff"}', b'{"user":NaN}', b'{"user":"u","shop":1e400,"note":"n"}', b"{}"]
)
def test_a_request_that_does_not_fit_is_answered_422(client: Client, request_row: dict[str, Any], body: bytes) -> None:
    status, answer = client.ask(body)
    assert (status, answer["code"]) == (422, "invalid_request")
    assert client.ask(request_row)[0] == 200


def _read_all(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


def _raw(client: Client) -> socket.socket:
    host, port = urlsplit(client.address).netloc.split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def test_a_body_of_100_megabytes_is_refused_before_it_is_sent(client: Client, request_row: dict[str, Any]) -> None:
    with _raw(client) as connection:
        connection.sendall(b"POST /predict/risk HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n{")
        answer = _read_all(connection)
    assert answer.startswith(b"HTTP/1.1 413 ") and b'"code":"body_too_large"' in answer
    assert b"a body of 104857600 bytes; allowed: 10000" in answer
    assert client.ask(request_row)[0] == 200


def test_a_body_that_does_not_say_its_length_is_cut_off_at_the_limit(
    client: Client, request_row: dict[str, Any]
) -> None:
    piece = b"1000\r\n" + b" " * 4096 + b"\r\n"
    sent = 0
    with _raw(client) as connection:
        connection.sendall(b"POST /predict/risk HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 100 << 20:
                connection.sendall(piece)
                sent += len(piece)
        except (ConnectionError, TimeoutError):
            pass
    assert sent < 50 << 20
    assert client.ask(request_row)[0] == 200


def test_a_body_of_just_the_limit_is_read(client: Client, request_row: dict[str, Any]) -> None:
    assert client.ask(b" " * LIMITS.max_body_bytes)[0] == 422
    assert client.ask(b" " * (LIMITS.max_body_bytes + 1))[0] == 413


def test_a_body_that_stalls_is_given_up(client: Client, request_row: dict[str, Any]) -> None:
    with _raw(client) as connection:
        connection.sendall(b"POST /predict/risk HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
        answer = _read_all(connection)
    assert answer.startswith(b"HTTP/1.1 408 ") and b'"code":"request_timeout"' in answer
    assert client.ask(request_row)[0] == 200


def test_a_caller_who_goes_away_disturbs_nobody(client: Client, request_row: dict[str, Any]) -> None:
    for _ in range(20):
        with _raw(client) as connection:
            connection.sendall(b"POST /predict/risk HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
    assert client.ask(request_row)[0] == 200


def test_an_address_that_is_taken_is_said(client: Client, online: OnlinePredictor) -> None:
    port = int(urlsplit(client.address).netloc.split(":")[1])
    with pytest.raises(un.StoreError, match=f"cannot listen on 127.0.0.1:{port}"):
        Server(service(online), "127.0.0.1", port, print)
