"""Whether a server may listen where it is told to."""

from __future__ import annotations

import ipaddress
import socket

from unisono.spec.errors import InputError


def require_guard(host: str, *, has_tokens: bool, insecure: bool) -> None:
    """Raises InputError if others than this machine could ask a server that has no tokens, unless that is wanted."""
    if has_tokens or insecure or is_loopback(host):
        return
    raise InputError(
        f"serve: {host or 'every address'} can be reached by others, and there are no tokens: anybody could ask; "
        "allowed: an address of this machine only, as 127.0.0.1, or tokens; make one with `unisono tokens new NAME`, "
        "or say --insecure"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address, or all addresses of a name."""
    try:
        found = {one[4][0] for one in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)} if host else set()
    except OSError:  # no such name: listening will say so
        return False
    return bool(found) and all(ipaddress.ip_address(str(one).partition("%")[0]).is_loopback for one in found)
