"""Where the workers listen: all of them on one port, which the kernel shares out between them."""

from __future__ import annotations

import socket

from unisono.spec.errors import StoreError


def reserve(host: str, port: int) -> socket.socket:
    """A socket that keeps an address for the workers; it does not listen. Port 0 takes a free one.

    Raises StoreError if the address is taken, or is none of this machine.
    """
    try:
        if port:  # another server of ours that listens there would share the port with us
            _bound(host, port, is_shared=False).close()
        return _bound(host, port, is_shared=True)
    except OSError as error:
        raise StoreError(
            f"cannot listen on {host}:{port} ({error.strerror}); allowed: a free port on an address of this machine; "
            "choose another with --port, or 0 for any"
        ) from error


def _bound(host: str, port: int, *, is_shared: bool) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        found.bind(address)
    except BaseException:
        found.close()
        raise
    return found
