"""The server as an ASGI application, to be run by uvicorn or mounted into somebody's FastAPI or Starlette."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any

from unisono.drivers.serving.exchange import Request, Response
from unisono.drivers.serving.refusals import RefusalError, problem
from unisono.drivers.serving.service import Service
from unisono.drivers.serving.settings import Http

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Application:
    """The ASGI application.

    service: what is served.
    limits:  of each request.
    """

    def __init__(self, service: Service, limits: Http | None = None) -> None:
        self._service = service
        self._limits = limits or Http()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection event, as the ASGI specification has it."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self._respond(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._ask(_request(scope, await read_body(scope, receive, self._limits)), receive)
        except RefusalError as refusal:
            response = problem(refusal)
        if response is not None:
            await _send(send, response)

    async def _ask(self, request: Request, receive: Receive) -> Response | None:
        """The response; None if the caller went away first."""
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        cancel = self._service.handle(request, answer.set_result)
        if answer.done() or cancel is None:
            return await answer
        gone = asyncio.ensure_future(receive())
        waited: list[asyncio.Future[Any]] = [answer, gone]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            gone.cancel()
            return answer.result()
        cancel()
        return None


def _request(scope: Scope, body: bytes) -> Request:
    root = scope.get("root_path", "")
    path = scope["path"].removeprefix(root) if root else scope["path"]
    return Request(
        method=scope["method"],
        path=path,
        query=scope.get("query_string", b""),
        headers=dict(scope["headers"]),
        body=body,
        began_s=perf_counter(),
    )


async def _live(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def read_body(scope: Scope, receive: Receive, limits: Http) -> bytes:
    """The body of a request. Raises RefusalError if it is too large, too slow, or cut off."""
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    if not announced.isdigit() or int(announced) > limits.max_body_bytes:
        raise _too_large(announced.decode("latin-1")[:20], limits)
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            return await _collect(receive, limits)
    except TimeoutError:
        allowed = f"allowed: the whole body within {limits.body_timeout_s:g} s; send it faster"
        raise RefusalError("request_timeout", f"the body did not come; {allowed}") from None


async def _collect(receive: Receive, limits: Http) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusalError("cancelled", "the body was cut off; allowed: a whole body; send it again")
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > limits.max_body_bytes:
            raise _too_large(f"more than {limits.max_body_bytes}", limits)
        if not message.get("more_body", False):
            return b"".join(pieces)


def _too_large(seen: str, limits: Http) -> RefusalError:
    message = f"a body of {seen} bytes; allowed: {limits.max_body_bytes}; send fewer rows a body"
    return RefusalError("body_too_large", message)


async def _send(send: Send, response: Response) -> None:
    headers = [*response.headers, (b"content-length", str(len(response.body)).encode())]
    if response.status in (408, 413):  # what is left of the body is not read
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
