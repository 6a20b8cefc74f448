"""Where the workers listen: all of them on one port, which the kernel shares out between them."""

from __future__ import annotations

import socket
from contextlib import closing

from unisono.spec.errors import StoreError

BACKLOG = 2048


def reserve(host: str, port: int) -> socket.socket:
    """A socket that keeps an address for the workers; it does not listen. Port 0 takes a free one.

    Raises StoreError if the address is taken, or is none of this machine.
    """
    try:
        if port:  # whoever listens there would share the port with us, if it lets others do so
            with closing(_bound(host, port, shared=False)):
                pass
        return _bound(host, port, shared=True)
    except OSError as error:
        raise StoreError(
            f"cannot listen on {host}:{port} ({error.strerror}); allowed: a free port on an address of this machine; "
            "choose another with --port, or 0 for any"
        ) from error


def listen(host: str, port: int) -> socket.socket:
    """A socket of one worker that listens, beside those of the others. Raises OSError."""
    found = _bound(host, port, shared=True)
    found.listen(BACKLOG)
    found.setblocking(False)
    return found


def url_of(listening: socket.socket, *, is_tls: bool = False) -> str:
    """What a client calls it."""
    host, port = listening.getsockname()[:2]
    return f"http{'s' if is_tls else ''}://{f'[{host}]' if ':' in host else host}:{port}"


def _bound(host: str, port: int, *, shared: bool) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        found.bind(address)
    except BaseException:
        found.close()
        raise
    return found
