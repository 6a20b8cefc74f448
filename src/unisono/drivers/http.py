"""The server's HTTP: a raw ASGI application, bytes in, bytes out.

    POST /predict/NAME     a request as JSON -> its prediction
    GET  /health/live      200 as long as the process answers
    GET  /health/ready     200 once every predictor has state and a version

Errors are {"error": {"code": ..., "message": ...}}; the codes do not change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from unisono.drivers.online import Answer, OnlinePredictor
from unisono.spec.errors import InputError, UnisonoError
from unisono.spec.wording import listing

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

TENDED_S = 1.0

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RefusalError(Exception):
    """A request that is answered with an error: its status, its code, its message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Limits(NamedTuple):
    """What a caller may use up.

    body_bytes:     larger bodies are refused before they are read.
    body_timeout_s: a body must be there after so long.
    """

    body_bytes: int = 1 << 20
    body_timeout_s: float = 10.0


class Application:
    """The ASGI application.

    predictors: by name.
    limits:     of each request.
    tend:       called every second while it serves and once at its end, e.g. to write down what was answered.
    """

    def __init__(
        self,
        predictors: Mapping[str, OnlinePredictor],
        limits: Limits | None = None,
        *,
        tend: Callable[[], None] = lambda: None,
    ) -> None:
        self._predictors = predictors
        self._limits = limits or Limits()
        self._tend = tend

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection event, as the ASGI specification has it."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            status, body = await self._respond(scope, receive)
            await _send(send, status, body)

    async def _respond(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        try:
            return 200, await self._route(scope, receive)
        except RefusalError as refusal:
            return refusal.status, _error(refusal.code, str(refusal))
        except InputError as error:
            return 422, _error("invalid_request", str(error))
        except UnisonoError as error:
            return 503, _error("not_available", str(error))

    async def _route(self, scope: Scope, receive: Receive) -> bytes:
        method, path = scope["method"], scope["path"]
        if path in _HEALTH:
            _require(method, "GET", path)
            return self._health(path)
        name = path.removeprefix("/predict/")
        if name == path:
            allowed = "POST /predict/NAME, GET /health/live, GET /health/ready"
            raise RefusalError(
                404, "no_such_path", f"{path}: there is nothing here; allowed: {allowed}; correct the address"
            )
        predictor = self._predictors.get(name)
        if predictor is None:
            allowed = f"allowed: {listing(self._predictors)}; correct the address"
            raise RefusalError(404, "no_such_predictor", f"{path}: no such predictor is served; {allowed}")
        _require(method, "POST", path)
        return encode(predictor.answer(await read_body(scope, receive, self._limits)))

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        end = asyncio.ensure_future(receive())
        while not end.done():
            await asyncio.wait([end], timeout=TENDED_S)
            self._tend()
        await send({"type": "lifespan.shutdown.complete"})

    def _health(self, path: str) -> bytes:
        if path == "/health/ready":
            positions = {name: predictor.store.last.position for name, predictor in self._predictors.items()}
            return msgspec.json.encode({"status": "ready", "positions": positions})
        return b'{"status":"live"}'


_HEALTH = ("/health/live", "/health/ready")


def _require(method: str, allowed: str, path: str) -> None:
    if method != allowed:
        message = f"{path}: method {method[:20]}; allowed: {allowed}; correct the method"
        raise RefusalError(405, "method_not_allowed", message)


async def read_body(scope: Scope, receive: Receive, limits: Limits) -> bytes:
    """The body of a request. Raises RefusalError if it is too large, too slow, or cut off."""
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    if not announced.isdigit() or int(announced) > limits.body_bytes:
        raise _too_large(announced.decode("latin-1")[:20], limits)
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            return await _collect(receive, limits)
    except TimeoutError:
        allowed = f"allowed: the whole body within {limits.body_timeout_s:g} s; send it faster"
        raise RefusalError(408, "body_timeout", f"the body did not come; {allowed}") from None


async def _collect(receive: Receive, limits: Limits) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusalError(400, "disconnected", "the body was cut off; allowed: a whole body; send it again")
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > limits.body_bytes:
            raise _too_large(f"more than {limits.body_bytes}", limits)
        if not message.get("more_body", False):
            return b"".join(pieces)


def _too_large(seen: str, limits: Limits) -> RefusalError:
    message = f"a body of {seen} bytes; allowed: {limits.body_bytes}; send one request a body"
    return RefusalError(413, "body_too_large", message)


def encode(answer: Answer) -> bytes:
    """An answer as JSON. Raises nothing: a prediction that is not a number is null."""
    time = (_EPOCH + timedelta(microseconds=answer.time)).isoformat().replace("+00:00", "Z")
    return msgspec.json.encode(
        {
            "prediction": answer.prediction,
            "version": answer.version,
            "position": answer.position,
            "time": time,
        }
    )


def _error(code: str, message: str) -> bytes:
    return msgspec.json.encode({"error": {"code": code, "message": message}})


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status in (408, 413):  # what is left of the body is not read
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
