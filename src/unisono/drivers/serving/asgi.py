"""The server as an ASGI application, to be run by uvicorn or mounted into somebody's FastAPI or Starlette."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any

from unisono.drivers.serving.exchange import Request, Response
from unisono.drivers.serving.http.responses import ALWAYS
from unisono.drivers.serving.refusals import RefusalError, problem
from unisono.drivers.serving.service import Service
from unisono.drivers.serving.settings import Http

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_LOOK_S = 0.05
"""An answer that has not come by then may be one that nobody waits for."""


class Application:
    """The ASGI application. Under a prefix of somebody's application, paths are those after the prefix.

    service: what is served.
    limits:  of each request's body, in size and time. Connections and headers are limited by whoever runs it.
    """

    def __init__(self, service: Service, limits: Http | None = None) -> None:
        self._service = service
        self._limits = limits or Http()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection event, as the ASGI specification has it."""
        if scope["type"] == "http":
            await self._respond(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        began_s = perf_counter()
        try:
            body = await read_body(scope, receive, self._limits)
            response = await self._ask(_request(scope, body, began_s), receive) if body is not None else None
        except RefusalError as refusal:
            response = problem(refusal)
        if response is not None:
            await _send(send, response, is_head=scope["method"] == "HEAD")

    async def _ask(self, request: Request, receive: Receive) -> Response | None:
        """The response; None if the caller went away first."""
        waiting = _Waiting(receive)
        cancel = self._service.handle(request, waiting.reply)
        response: Response | None = None
        try:
            response = await waiting.outcome()
        finally:
            waiting.end()
            if response is None and cancel is not None:
                cancel()
        return response


class _Waiting:
    """Waits for an answer, and after a while asks whether the caller does, too: a task a request would be dear.

    receive: of the request, whose body is read.
    """

    __slots__ = ("_answer", "_gone", "_loop", "_receive", "_timer")

    def __init__(self, receive: Receive) -> None:
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[Response | None] = self._loop.create_future()
        self._receive = receive
        self._gone: asyncio.Future[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def reply(self, response: Response) -> None:
        """Take the response."""
        if not self._answer.done():
            self._answer.set_result(response)

    async def outcome(self) -> Response | None:
        """The response; None if the caller waits no more."""
        if not self._answer.done():
            self._timer = self._loop.call_later(_LOOK_S, self._look)
        return await self._answer

    def _look(self) -> None:
        self._gone = asyncio.ensure_future(self._receive())
        self._gone.add_done_callback(self._leave)

    def _leave(self, gone: asyncio.Future[Any]) -> None:
        if not gone.cancelled() and not self._answer.done():
            self._answer.set_result(None)

    def end(self) -> None:
        """Nobody waits any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._gone is not None:
            self._gone.cancel()


def _request(scope: Scope, body: bytes, began_s: float) -> Request:
    path, query = _path_under(scope.get("root_path", ""), scope["path"]), scope.get("query_string", b"")
    return Request(scope["method"], path, query, dict(scope["headers"]), body, began_s)


def _path_under(prefix: str, path: str) -> str:
    """What comes after the prefix, if the path begins with it: some servers put it in front, some do not."""
    rest = path.removeprefix(prefix)
    return rest if rest.startswith("/") else path


async def _live(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def read_body(scope: Scope, receive: Receive, limits: Http) -> bytes | None:
    """The body of a request; None if the caller went away. Raises RefusalError if it is too large, or too slow."""
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    if not announced.isdigit() or int(announced) > limits.max_body_bytes:
        raise _too_large(announced.decode("latin-1")[:20], limits)
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            return await _collect(receive, limits)
    except TimeoutError:
        allowed = f"allowed: the whole body within {limits.body_timeout_s:g} s; send it faster"
        raise RefusalError("request_timeout", f"the body did not come; {allowed}") from None


async def _collect(receive: Receive, limits: Http) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > limits.max_body_bytes:
            raise _too_large(f"more than {limits.max_body_bytes}", limits)
        if not message.get("more_body", False):
            return bytes(body)


def _too_large(seen: str, limits: Http) -> RefusalError:
    message = f"a body of {seen} bytes; allowed: {limits.max_body_bytes}; send fewer rows a body"
    return RefusalError("body_too_large", message)


async def _send(send: Send, response: Response, *, is_head: bool) -> None:
    headers = [*response.headers, *ALWAYS, (b"content-length", b"%d" % len(response.body))]
    if response.status in (408, 413):  # what is left of the body is not read
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else response.body})
