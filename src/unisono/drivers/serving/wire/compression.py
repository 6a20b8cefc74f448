"""Compressed bodies: gzip and deflate, in and out. What comes in is never inflated beyond a bound."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from unisono.drivers.serving.exchange import Request, Response
from unisono.drivers.serving.refusals import RefusalError

SMALLEST_BYTES = 1024
"""A smaller answer fits into a packet; it leaves as it is."""

_WINDOW_BITS: Mapping[bytes, int] = {b"gzip": 31, b"deflate": 15}
_LEVEL = 1  # numbers hardly get smaller with more work


def body_of(request: Request, *, most_bytes: int) -> bytes:
    """The body, inflated if it is compressed.

    most_bytes: a body that would be larger is refused before more of it than that is inflated.

    Raises RefusalError.
    """
    encoding = request.headers.get(b"content-encoding")
    if encoding is None:
        return request.body
    name = encoding.strip().lower()
    if name == b"identity":
        return request.body
    if name not in _WINDOW_BITS:
        seen = name[:40].decode("latin-1")
        raise RefusalError("unsupported_media_type", f"content-encoding: {seen}; allowed: gzip, deflate; send another")
    return _inflated(request.body, name, most_bytes)


def _inflated(body: bytes, name: bytes, most_bytes: int) -> bytes:
    inflater = zlib.decompressobj(_WINDOW_BITS[name])
    try:
        inflated = inflater.decompress(body, most_bytes + 1)
    except zlib.error as error:
        raise _broken(name, str(error)) from error
    if len(inflated) > most_bytes:
        seen = f"a body of more than {most_bytes} bytes once inflated"
        raise RefusalError("body_too_large", f"{seen}; allowed: {most_bytes}; send fewer rows a body")
    if not inflater.eof or inflater.unused_data:
        raise _broken(name, "bytes after its end" if inflater.eof else "it is cut off")
    return inflated


def _broken(name: bytes, seen: str) -> RefusalError:
    return RefusalError("bad_request", f"a body of {name.decode()}: {seen}; allowed: one whole stream; send it again")


def compressed(response: Response, request: Request) -> Response:
    """The response, compressed if the request accepts that and it is worth it."""
    accepted = request.headers.get(b"accept-encoding")
    if accepted is None or len(response.body) < SMALLEST_BYTES:
        return response
    name = _chosen(accepted.lower())
    if name is None:
        return response
    deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS[name])
    body = deflater.compress(response.body) + deflater.flush()
    headers = (*response.headers, (b"content-encoding", name), (b"vary", b"accept-encoding"))
    return Response(response.status, body, headers)


def _chosen(accepted: bytes) -> bytes | None:
    """gzip or deflate, whichever is named first and not with a weight of 0."""
    for part in accepted.split(b","):
        name, _, weight = part.strip().partition(b";")
        if name.strip() in _WINDOW_BITS and weight.replace(b" ", b"").rstrip(b"0.") != b"q=":
            return name.strip()
    return None
