"""The address of a request line: path and query."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from unisono.drivers.serving.refusals import RefusalError

_NOT_ENCODED = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


@lru_cache(maxsize=256)  # most requests ask at few addresses
def split_target(target: bytes) -> tuple[str, bytes]:
    """The path, decoded once, and the query as it was sent. Raises RefusalError.

    target: of a request line, as the parser lets it through: a path, or a whole address as proxies send it.

    >>> split_target(b"/predict/de%6Cay?a=%20"), split_target(b"http://localhost:8080/health/live")
    (('/predict/delay', b'a=%20'), ('/health/live', b''))
    """
    if not target.startswith(b"/"):
        target = _without_host(target)
    if b"#" in target:
        raise _no_address(target, "a fragment", "none")
    path, _, query = target.partition(b"?")
    return (_decoded(path) if b"%" in path else path.decode("latin-1")), query


def _without_host(target: bytes) -> bytes:
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return target
    start = min((place for place in (rest.find(b"/"), rest.find(b"?")) if place >= 0), default=len(rest))
    return rest[start:] if rest[start : start + 1] == b"/" else b"/" + rest[start:]


def _decoded(path: bytes) -> str:
    if _NOT_ENCODED.search(path):
        raise _no_address(path, "a % without two hexadecimal digits", "%25 for itself")
    plain = unquote_to_bytes(path)
    if _CONTROL.search(plain):
        raise _no_address(path, "a control character", "none")
    try:
        return plain.decode()
    except UnicodeDecodeError:
        raise _no_address(path, "bytes that are no UTF-8", "UTF-8") from None


def _no_address(target: bytes, seen: str, allowed: str) -> RefusalError:
    shown = target[:100].decode("latin-1")
    return RefusalError("bad_request", f"{shown}: {seen} in the address; allowed: {allowed}; correct the address")
