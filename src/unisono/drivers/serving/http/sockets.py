"""Sockets that listen."""

from __future__ import annotations

import socket

from unisono.drivers.serving.http.server import BACKLOG
from unisono.spec.errors import StoreError


def listen(host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    """A socket that listens, on IPv4 or IPv6. Raises StoreError if it cannot.

    host:      an address of this machine, or a name of one.
    port:      0 takes a free one.
    is_shared: whether other sockets may listen there too: the system spreads connections over them.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG, reuse_port=is_shared)
    except (OSError, ValueError) as error:  # a port may not be shared everywhere
        seen = getattr(error, "strerror", None) or error
        raise StoreError(
            f"cannot listen on {host}:{port} ({seen}); allowed: a free port on an address of this machine; "
            "choose another with --port, or 0 for any"
        ) from error


def address_of(listening: socket.socket, *, is_encrypted: bool = False) -> str:
    """Where a socket listens, as a URL."""
    host, port = listening.getsockname()[:2]
    return f"http{'s' if is_encrypted else ''}://{f'[{host}]' if ':' in host else host}:{port}"
