"""What goes in and out of the server, whoever carries it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

Headers = tuple[tuple[bytes, bytes], ...]

JSON = (b"content-type", b"application/json")


class Request(msgspec.Struct, frozen=True, gc=False):  # made in a tenth of a frozen dataclass's time
    """One request, whole.

    method:  in capitals.
    path:    decoded, without the query.
    query:   as it was sent.
    headers: by name in small letters; of several of one name the last.
    body:    all of it, as it was sent.
    began_s: when its first byte was there, by `time.perf_counter`.
    """

    method: str
    path: str
    query: bytes = b""
    headers: Mapping[bytes, bytes] = {}
    body: bytes = b""
    began_s: float = 0.0


class Response(msgspec.Struct, frozen=True, gc=False):
    """One response, whole.

    status:  of HTTP.
    body:    its bytes.
    headers: but for content-length, which the carrier adds.
    """

    status: int
    body: bytes = b""
    headers: Headers = (JSON,)


Reply = Callable[[Response], None]
"""Takes the one response to a request: at once or later, on the thread of the loop; never twice."""

Cancel = Callable[[], None]
"""Says that nobody waits for the response any more; it is then neither computed, if it is not yet, nor sent."""
