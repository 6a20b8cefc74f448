"""Bare uvicorn: an ASGI application that answers the same few bytes to everything."""

from __future__ import annotations

from typing import Any

import uvicorn

from benchmarks.serving.peers.model import HOST, port

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]}
BODY = {"type": "http.response.body", "body": b"hello"}


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(BODY)


if __name__ == "__main__":
    uvicorn.run(
        application,
        host=HOST,
        port=port(),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
