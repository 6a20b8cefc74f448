"""Running the server: uvicorn with raw ASGI, bound to this machine unless told otherwise."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from unisono.drivers.http import Application

KEEP_ALIVE_S = 15
SHUTDOWN_S = 10


class _Server(uvicorn.Server):
    """Says when it can be reached."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[str], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in sockets or []:
            host, port = listening.getsockname()[:2]
            self._announce(f"http://{f'[{host}]' if ':' in host else host}:{port}")


def run(application: Application, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve until the process is told to stop (SIGINT, SIGTERM); requests under way are answered first.

    port:     0 takes a free one.
    announce: called with the address once it can be reached.
    """
    config = uvicorn.Config(
        application,
        host=host,
        port=port,
        http="httptools",
        loop="uvloop",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    listening = config.bind_socket()
    try:
        _Server(config, announce).run([listening])
    finally:
        listening.close()
