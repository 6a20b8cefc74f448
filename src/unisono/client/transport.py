"""Requests over HTTP, on aiohttp: a pool of connections, and nothing sent again behind our back."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from unisono.spec.errors import InputError, StoreError
from unisono.spec.wording import one_line, quoted

if TYPE_CHECKING:
    import aiohttp

MOST_CONNECTIONS = 100
"""Of a client."""


class Ask(NamedTuple):
    """A request.

    what:    it is, as messages call it.
    method:  of HTTP.
    path:    encoded, after the server's address.
    body:    all of it.
    headers: that say what the body is.
    """

    what: str
    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = {"content-type": "application/json"}


class Reply(NamedTuple):
    """A response.

    status:  of HTTP.
    body:    all of it.
    headers: in small letters, or however they are looked up.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]


class LostError(Exception):
    """There is no response.

    may_repeat: whether nothing of it had come, and another try may help.
    """

    def __init__(self, message: str, *, may_repeat: bool) -> None:
        super().__init__(message)
        self.may_repeat = may_repeat


class Transport:
    """Connections to one server, on one loop.

    address: `http://HOST:PORT` or `https://...`, with the path that the server is mounted under, if there is one.
    token:   sent with every request; None: none.
    tls:     what is trusted; None: what this machine trusts.

    Raises InputError for an address or a token that is none, StoreError without aiohttp.
    """

    def __init__(self, address: str, *, token: str | None, tls: ssl.SSLContext | None) -> None:
        self.address = checked_address(address)
        self._headers = {"accept-encoding": "identity"}
        if token is not None:
            self._headers["authorization"] = f"Bearer {_checked_token(token)}"
        self._tls = tls
        self._aiohttp = _library()
        self._session: aiohttp.ClientSession | None = None

    async def send(self, ask: Ask, *, timeout_s: float) -> Reply:
        """The response to one request. Whoever calls sees to it that it does not last.

        timeout_s: told to the server, which does not run what nobody waits for any more.

        Raises LostError.
        """
        from yarl import URL  # aiohttp's own

        headers = {**self._headers, **ask.headers, "x-timeout-ms": str(max(1, int(timeout_s * 1000)))}
        url = URL(self.address + ask.path, encoded=True)
        aiohttp, began = self._aiohttp, False
        try:
            async with self._opened().request(
                ask.method, url, data=ask.body or None, headers=headers, allow_redirects=False
            ) as response:
                began = True
                return Reply(response.status, await response.read(), response.headers)
        except (aiohttp.ClientError, OSError) as error:
            is_trust = isinstance(error, aiohttp.ClientSSLError)
            seen = one_line(str(error) or type(error).__name__)
            raise LostError(seen, may_repeat=not began and not is_trust) from error

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = self._aiohttp.TCPConnector(limit=MOST_CONNECTIONS, ssl=True if self._tls is None else self._tls)
            # No limits of its own: the whole call has one.
            timeout = self._aiohttp.ClientTimeout(total=None, sock_connect=None)
            jar = self._aiohttp.DummyCookieJar()
            self._session = self._aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=jar)
        return self._session


def checked_address(address: str) -> str:
    """An address without a slash at its end. Raises InputError if it is none."""
    if not _is_address(address):
        raise InputError(
            f"client: {quoted(address)} is no address of a server; allowed: http:// or https://, a host, a port, and a "
            'path if the server is mounted under one; write e.g. "http://127.0.0.1:8080"'
        )
    return address.rstrip("/")


def _is_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and has_port
        and not (parts.query or parts.fragment or parts.username)
    )


def _checked_token(token: str) -> str:
    """A token without the line break of the file that it was in."""
    text = token.strip()
    if not text.isascii() or not text.isprintable() or " " in text or not text:
        raise InputError("client: the token has characters that no token has; allowed: uns_...; copy it again")
    return text


def _library() -> ModuleType:
    try:
        import aiohttp
    except ImportError as error:
        raise StoreError("the client needs the library aiohttp; install it: pip install 'unisono[client]'") from error
    return aiohttp
