"""Reads the requests of one connection off its bytes, and refuses what is none."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import perf_counter
from typing import Final

import httptools

from unisono.drivers.serving.exchange import Request
from unisono.drivers.serving.http.targets import split_target
from unisono.drivers.serving.refusals import RefusalError
from unisono.drivers.serving.settings import Http
from unisono.spec.wording import one_line

_LOGGER = logging.getLogger(__name__)

STEP_BYTES = 4096
"""No more is parsed at once, so that few requests are there before the connection can say that it has enough."""

_ONCE = frozenset((b"host", b"authorization", b"content-type", b"content-length", b"x-timeout-ms"))
_CHUNK_BYTES = 16  # around a chunk, without extensions
_HEADER_BYTES = 4  # around name and value


NOTHING: Final = 0
HEAD: Final = 1
BODY: Final = 2
"""What is being read."""


class Reader:
    """The requests of one connection.

    limits:   of each request.
    take:     called with each whole request, whether the connection is kept after it, and its version of HTTP.
    expected: called if the client waits to be told to send its body.

    Everything that could be read in two ways is refused: by llhttp, which is strict, and here where it is not.
    """

    __slots__ = (
        "_body",
        "_chunk_room",
        "_expected",
        "_fed_bytes",
        "_head_bytes",
        "_headers",
        "_is_chunked",
        "_limits",
        "_parser",
        "_path",
        "_query",
        "_raw_bytes",
        "_take",
        "_target",
        "_unread",
        "_version",
        "began_s",
        "body_s",
        "is_over",
        "now_s",
        "phase",
    )

    def __init__(self, limits: Http, take: Callable[[Request, bool, str], None], expected: Callable[[], None]) -> None:
        self._limits = limits
        self._take = take
        self._expected = expected
        self._parser = httptools.HttpRequestParser(self)
        self.phase = NOTHING
        self.is_over = False
        self.now_s = self.began_s = self.body_s = 0.0
        self._raw_bytes = 0
        self._version = ""
        self.on_message_begin()
        self.phase = NOTHING

    def close(self) -> None:
        """Read no more; without the parser nothing refers to this in a circle."""
        self.is_over = True
        del self._parser, self._take, self._expected

    # Bytes come in ----------------------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Read on; `take` is called for each request that is whole. Raises RefusalError; then nothing more is read.

        data: at most `step` bytes.
        """
        if self._raw_bytes:
            data = self._feed_raw(data)
        phase, unread = self.phase, self._unread
        left = self._parse(data)
        while left:
            left = self._parse(self._feed_raw(left) if self._raw_bytes else left)
        if self.phase == HEAD:
            self._count_head(len(data))
        elif phase == BODY and self.phase == BODY and self._is_chunked:
            self._count_around_chunks(len(data) - (unread - self._unread))

    def _parse(self, data: bytes) -> bytes:
        """Returns what the parser leaves: after a wish to speak something else it does not even read the body."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            if not self.is_over:  # what comes after the last request is not read
                raise self._refusal(error) from None
        return b""

    def _feed_raw(self, data: bytes) -> bytes:
        """Take a body that the parser does not read; returns what comes after it."""
        piece = data[: self._raw_bytes]
        self._raw_bytes -= len(piece)
        if piece:
            self.on_body(piece)
        if not self._raw_bytes:
            self._finish()
        return data[len(piece) :]

    @property
    def is_old(self) -> bool:
        """Whether the last request was of HTTP/1.0, which knows no provisional answers."""
        return self._version != "1.1"

    @property
    def step(self) -> int:
        """How many bytes to feed at most: a body whose length is known goes in at once."""
        if self.phase == BODY and not self._is_chunked:
            return max(STEP_BYTES, self._unread)
        return STEP_BYTES

    def _refusal(self, error: httptools.HttpParserError) -> RefusalError:
        self.is_over = True
        cause = error.__context__
        if isinstance(cause, RefusalError):
            return cause
        if cause is not None:
            _LOGGER.error("reading a request failed", exc_info=cause)
            return RefusalError("internal", "the server failed; its log says why; report it")
        return _malformed(one_line(error), "HTTP/1.1 as RFC 9112 has it")

    def _count_head(self, size: int) -> None:
        """A header that does not end is not given up by the parser."""
        self._fed_bytes += size
        if self._fed_bytes > self._limits.max_header_bytes + self._limits.max_target_bytes + 2 * STEP_BYTES:
            raise self._headers_too_large()

    def _count_around_chunks(self, size: int) -> None:
        """Nor are extensions, and trailers."""
        self._chunk_room -= size
        if self._chunk_room < 0:
            most = self._limits.max_header_bytes
            raise _malformed("chunk extensions", f"{most} bytes around the chunks")

    # The parser's callbacks -------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        self.phase = HEAD
        self.began_s = self.now_s
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._fed_bytes = self._head_bytes = 0
        self._body: bytes | bytearray = b""
        self._unread = 0
        self._is_chunked = False
        self._chunk_room = 0

    def on_url(self, piece: bytes) -> None:
        """Some of the address."""
        self._target = self._target + piece if self._target else piece
        if len(self._target) > self._limits.max_target_bytes:
            allowed = f"allowed: {self._limits.max_target_bytes}; send what is long as the body"
            raise RefusalError("address_too_long", f"an address of {len(self._target)} bytes or more; {allowed}")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; after the body: a trailer, which is read past."""
        self._head_bytes += len(name) + len(value) + _HEADER_BYTES
        headers = self._headers
        if self.phase == HEAD:
            name = name.lower()
            if name in headers and name in _ONCE:
                raise _malformed(f"header {name.decode('latin-1')} twice", "once")
            headers[name] = value
        if self._head_bytes > self._limits.max_header_bytes or len(headers) > self._limits.max_headers:
            raise self._headers_too_large()

    def on_headers_complete(self) -> None:
        """Judge what was said of the body, before any of it is read."""
        self.phase = BODY
        self.body_s = self.now_s
        headers = self._headers
        self._path, self._query = split_target(self._target)
        self._version = self._parser.get_http_version()
        if self._version != "1.1":
            self._judge_old()
        elif b"host" not in headers:
            raise _malformed("no header host", "one")
        if b"content-length" in headers:
            self._judge_length(int(headers[b"content-length"]))
        elif b"transfer-encoding" in headers:
            self._judge_encoding(headers[b"transfer-encoding"])
        if b"expect" in headers:
            self._judge_expectation(headers[b"expect"])

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._chunk_room += _CHUNK_BYTES

    def on_body(self, piece: bytes) -> None:
        """Some of the body."""
        self._unread -= len(piece)
        if self._unread < 0:
            raise self._too_large(f"more than {self._limits.max_body_bytes}")
        if not self._body:
            self._body = piece
            return
        if not isinstance(self._body, bytearray):  # many small pieces would take many times their size
            self._body = bytearray(self._body)
        self._body += piece

    def on_message_complete(self) -> None:
        """The request is whole, unless the parser did not look for its body."""
        if self._unread and self._parser.should_upgrade():
            self._raw_bytes = self._unread
            return
        self._finish()

    def _finish(self) -> None:
        self.phase = NOTHING
        body = self._body if isinstance(self._body, bytes) else bytes(self._body)
        self._body = b""
        is_kept = self._parser.should_keep_alive()
        self.is_over = not is_kept
        method = self._parser.get_method().decode()
        request = Request(method, self._path, self._query, self._headers, body, self.began_s)
        self._take(request, is_kept, self._version)

    # Judging ----------------------------------------------------------------------------------------------------------

    def _judge_old(self) -> None:
        if self._version != "1.0":
            raise _malformed(f"HTTP/{self._version}", "HTTP/1.1 and HTTP/1.0")
        if b"transfer-encoding" in self._headers:
            raise _malformed("transfer-encoding in HTTP/1.0", "content-length")

    def _judge_length(self, size: int) -> None:
        if size > self._limits.max_body_bytes:
            raise self._too_large(str(size))
        self._unread = size

    def _judge_encoding(self, encoding: bytes) -> None:
        if encoding.strip().lower() != b"chunked":
            raise _malformed(f"transfer-encoding {encoding[:50].decode('latin-1')}", "chunked")
        if self._parser.should_upgrade():
            raise _malformed("a chunked body with an upgrade", "content-length, or no upgrade")
        self._is_chunked = True
        self._unread = self._limits.max_body_bytes
        self._chunk_room = self._limits.max_header_bytes

    def _judge_expectation(self, expectation: bytes) -> None:
        if self._version != "1.1":
            return
        if expectation.strip().lower() != b"100-continue":
            raise _malformed(f"expect {expectation[:50].decode('latin-1')}", "100-continue")
        if self._unread:
            self._expected()

    def _too_large(self, seen: str) -> RefusalError:
        allowed = f"allowed: {self._limits.max_body_bytes}; send fewer rows a body"
        return RefusalError("body_too_large", f"a body of {seen} bytes; {allowed}")

    def _headers_too_large(self) -> RefusalError:
        limits = self._limits
        allowed = f"allowed: {limits.max_headers} headers with {limits.max_header_bytes} bytes; send less"
        return RefusalError("headers_too_large", f"larger headers than are read; {allowed}")

    def late(self) -> RefusalError:
        """The refusal of what has not come in time."""
        if self.phase == BODY:
            seen, allowed = "the body did not come", f"the whole body within {self._limits.body_timeout_s:g} s"
        else:
            seen, allowed = "no whole headers came", f"all of them within {self._limits.header_timeout_s:g} s"
        return RefusalError("request_timeout", f"{seen}; allowed: {allowed}; send it faster")

    def is_late(self, now_s: float) -> bool:
        """Whether what has begun takes too long."""
        if self.phase == HEAD:
            return now_s - self.began_s > self._limits.header_timeout_s
        return self.phase == BODY and now_s - self.body_s > self._limits.body_timeout_s

    def go_on(self) -> None:
        """Nothing was read for a while, which was not the client's doing: its time begins anew."""
        self.now_s = self.began_s = self.body_s = perf_counter()


def _malformed(seen: str, allowed: str) -> RefusalError:
    return RefusalError("bad_request", f"no HTTP request: {seen}; allowed: {allowed}; correct the client")
