"""Responses as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from unisono.drivers.serving.exchange import JSON, Headers, Response
from unisono.drivers.serving.refusals import CODES, RefusalError, problem

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

KEEPS: Final = b"\r\n\r\n"
CLOSES: Final = b"\r\nconnection: close\r\n\r\n"
KEEPS_OLD: Final = b"\r\nconnection: keep-alive\r\n\r\n"
"""How a head ends: the connection is kept, or closed after the body, or kept for a client of HTTP/1.0."""

_REASONS: Mapping[int, str] = {status.value: status.phrase for status in HTTPStatus} | {499: "Client Closed Request"}
ALWAYS: Headers = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
"""What every response says: browsers take it for what it is called, and nobody keeps it."""
_ALWAYS = b"".join(b"%b: %b\r\n" % header for header in ALWAYS)
_PLAIN = {
    status: f"HTTP/1.1 {status} {reason}\r\n".encode() + _ALWAYS for status, reason in _REASONS.items() if status >= 200
}
_LENGTH = b"content-length: "
_JSON = {status: start + b"content-type: application/json\r\n" + _LENGTH for status, start in _PLAIN.items()}
_DEFAULT: Headers = Response(200).headers
_EMPTY = (204, 304)


def render(response: Response, ending: bytes, *, is_head: bool) -> bytes:
    """A response as it is sent.

    ending:  KEEPS, CLOSES or KEEPS_OLD.
    is_head: whether the body is left out, and only its length told.
    """
    headers, body, status = response.headers, response.body, response.status
    start = _JSON[status] if headers is _DEFAULT or headers == (JSON,) else _start(status, headers)
    if is_head or status in _EMPTY:
        return _without_body(start, response, ending)
    return b"%b%d%b%b" % (start, len(body), ending, body)


@lru_cache(maxsize=256)  # refusals mostly say the same
def _start(status: int, headers: Headers) -> bytes:
    lines = [_PLAIN[status]]
    for name, value in headers:
        if b"\n" in value or b"\r" in value:
            value = b" ".join(value.split())  # a header never becomes two
        lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join(lines) + _LENGTH


def _without_body(start: bytes, response: Response, ending: bytes) -> bytes:
    if response.status in _EMPTY:
        return start.removesuffix(b"\r\n" + _LENGTH) + ending
    return b"%b%d%b" % (start, len(response.body), ending)


def full(most: int) -> bytes:
    """What a connection is answered that is one too many.

    most: connections there may be.
    """
    seen = f"{most} connections are open; allowed: {most}; come again later, or keep fewer open"
    return render(problem(RefusalError("overloaded", seen, retry_after_s=1.0)), CLOSES, is_head=False)


assert all(status in _PLAIN for status, _ in CODES.values())
