"""Running the server: uvicorn with raw ASGI, bound to this machine unless told otherwise."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from unisono.drivers.serving.asgi import Application
from unisono.spec.errors import StoreError

KEEP_ALIVE_S = 15
SHUTDOWN_S = 10


class Server(uvicorn.Server):
    """One process that serves until it is told to stop: by SIGINT, SIGTERM or `stop`. What is under way is answered.

    application: what is served.
    host, port:  where to listen; port 0 takes a free one.
    announce:    called with the address once it can be reached.

    Raises StoreError if the address is taken.
    """

    def __init__(self, application: Application, host: str, port: int, announce: Callable[[str], None]) -> None:
        super().__init__(
            uvicorn.Config(
                application,
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
        )
        self._announce = announce
        self._listening = _listen(host, port)

    def serve_forever(self) -> None:
        """Serve; returns once it has stopped."""
        with self._listening:
            self.run([self._listening])

    def stop(self) -> None:
        """Let it stop, from another thread."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Uvicorn's, and then say where."""
        await super().startup(sockets)
        host, port = self._listening.getsockname()[:2]
        self._announce(f"http://{f'[{host}]' if ':' in host else host}:{port}")


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        raise StoreError(
            f"cannot listen on {host}:{port} ({error.strerror}); allowed: a free port on an address of this machine; "
            "choose another with --port, or 0 for any"
        ) from error
