"""The server as a part of somebody else's application."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from tests.serving.http.carriers import connect, say, under_uvicorn, wait_until
from tests.serving.http.desk import Later, desk
from unisono.drivers.serving.asgi import Application
from unisono.drivers.serving.settings import Http

pytestmark = pytest.mark.slow

HOST = b"Host: x\r\n"


def starlette(ours: Application) -> Any:
    async def hello(request: Request) -> PlainTextResponse:
        return PlainTextResponse("theirs")

    return Starlette(routes=[Route("/hello", hello), Mount("/models", ours)])


def fastapi(ours: Application) -> Any:
    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/hello")
    async def hello() -> str:
        return "theirs"

    app.mount("/models", ours)
    return app


@pytest.fixture
def later() -> Later:
    return Later()


@pytest.fixture(params=["", "/api"], ids=["alone", "behind a proxy that strips /api"])
def prefix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[starlette, fastapi])
def address(request: pytest.FixtureRequest, later: Later, prefix: str) -> Iterator[str]:
    application = request.param(Application(desk(later), Http(max_body_bytes=10_000)))
    with under_uvicorn(application, prefix=prefix) as started:
        yield started


def test_it_is_mounted_under_a_prefix(address: str) -> None:
    answer = say(address, b"POST /models/echo/a%20b?c=d HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\n{}")[0]
    assert answer.status == 200
    assert (answer.json["path"], answer.json["query"], answer.json["body"]) == ("/echo/a b", "c=d", "{}")
    assert b"theirs" in say(address, b"GET /hello HTTP/1.1\r\n" + HOST + b"\r\n")[0].body


def test_it_refuses_in_its_own_words_there(address: str) -> None:
    missing = say(address, b"GET /models/nothing HTTP/1.1\r\n" + HOST + b"\r\n")[0]
    assert (missing.status, missing.json["code"]) == (404, "no_such_path")
    large = say(address, b"POST /models/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 10001\r\n\r\n")[0]
    assert (large.status, large.json["code"]) == (413, "body_too_large")


def test_a_client_that_goes_away_there_is_noticed(address: str, later: Later) -> None:
    with connect(address) as connection:
        connection.sendall(b"GET /models/later HTTP/1.1\r\n" + HOST + b"\r\n")
        wait_until(lambda: later.asked)
    wait_until(lambda: later.asked[0].is_cancelled)


def test_a_client_that_goes_away_with_its_body_half_sent_is_forgotten(address: str) -> None:
    with connect(address) as connection:
        connection.sendall(b"POST /models/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\n{")
    assert say(address, b"GET /models/echo HTTP/1.1\r\n" + HOST + b"\r\n")[0].status == 200
