"""The access log: a line of JSON a request, with no body, no query, no secret, and nothing that makes anybody wait."""

from __future__ import annotations

import logging
import os
import re
import select
import stat
import sys
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from time import monotonic, perf_counter, time
from typing import NamedTuple

import msgspec

from unisono.drivers.serving.calls import STAGES, Call
from unisono.drivers.serving.exchange import Request, Response
from unisono.drivers.serving.operations.channel import Count
from unisono.drivers.serving.operations.meter import about
from unisono.spec.errors import StoreError

_LOGGER = logging.getLogger(__name__)

DROPPED = "access_dropped"

_QUIET_S = 60.0
_PIPE_BYTES = 4096  # so much never waits in a pipe that is said to be ready
_LONGEST_ID = 100
_TOKEN = re.compile(rb"[Bb]earer +uns_([0-9a-f]{16})_")
_TRACE = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-")
_PLAIN = frozenset(
    (
        *("predict", "features", "metrics", "openapi.json", "health", "live", "ready", "admin", "reload", "rollback"),
        *("v2", "models", "versions", "infer", "config", "stats", "repository", "index", "load", "unload", "status"),
    )
)


class Line(msgspec.Struct, omit_defaults=True):
    """One request; what is empty is left out.

    path:     with `{predictor}`, `{version}` and `{other}` in place of what callers wrote.
    ms:       stage -> milliseconds; `total` is from the first byte on.
    token:    id of the token, which is no secret.
    trace:    id of the trace that the caller says it is part of.
    """

    time: datetime
    protocol: str
    method: str
    path: str
    status: int
    predictor: str = ""
    version: str = ""
    rows: int = 0
    ms: dict[str, float] = {}
    bytes_in: int = 0
    bytes_out: int = 0
    request_id: str = ""
    token: str = ""
    trace: str = ""


class _Seen(NamedTuple):
    """What is kept of a request until its line is written: no body, and no call, which knows one."""

    at: float
    protocol: str
    method: str
    path: str
    status: int
    predictor: str
    rows: int
    request_id: str
    spent_s: Sequence[float]
    version: str
    took_s: float
    bytes_in: int
    bytes_out: int
    authorization: bytes
    traceparent: bytes


_NO_CALL: tuple[str, int, str, Sequence[float]] = ("", 0, "", ())


def _known_of(call: Call) -> tuple[str, int, str, Sequence[float]]:
    return call.predictor, len(call.rows), call.request_id, call.spent_s


class Sink:
    """A file, or a pipe, that is only written what it takes at once.

    path: of the file, appended to; None: standard error.

    Raises StoreError if it cannot be opened.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._descriptor = self._open()
        self._rest = b""

    def _open(self) -> int:
        if self._path is None:
            return os.dup(sys.stderr.fileno())
        try:
            return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o640)
        except OSError as error:
            raise StoreError(
                f"{self._path}: {error.strerror}; allowed: a file to append to; correct `path` in [serve.access], or "
                "give access"
            ) from error

    def reopen(self) -> None:
        """Go on in a new file, since the old one was moved. Raises StoreError; the old one is then gone on with."""
        descriptor = self._open()
        os.close(self._descriptor)
        self._descriptor, self._rest = descriptor, b""

    def write(self, lines: Sequence[bytes]) -> int:
        """Write what can be; returns how many lines were, and keeps the rest of one that was not written whole.

        Raises OSError.
        """
        is_file = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        written = 0
        while (written < len(lines) or self._rest) and (is_file or self._is_ready()):
            chosen = lines[written:] if is_file else _some(lines[written:], _PIPE_BYTES - len(self._rest))
            data = self._rest + b"".join(chosen)
            try:
                self._rest = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                return written
            except OSError:
                if written:  # the next time nothing will be
                    return written
                raise
            written += len(chosen)
        return written

    def _is_ready(self) -> bool:
        return bool(select.select([], [self._descriptor], [], 0)[1])

    def close(self) -> None:
        """Nothing is written any more."""
        os.close(self._descriptor)


def _some(lines: Sequence[bytes], size_bytes: int) -> Sequence[bytes]:
    """The first lines that together have so many bytes at most."""
    for count, line in enumerate(lines):
        size_bytes -= len(line)
        if size_bytes < 0:
            return lines[:count]
    return lines


class AccessLog:
    """Writes a line a request; a `Meter`. For the loop's thread.

    sink:   where the lines go.
    names:  of the predictors that are served.
    most:   lines that may wait.
    count:  told how many lines were dropped.
    clock:  seconds since 1970.
    """

    def __init__(
        self, sink: Sink, names: Collection[str], *, most: int, count: Count, clock: Callable[[], float] = time
    ) -> None:
        self._sink = sink
        self._names = frozenset(names)
        self._most = most
        self._count = count
        self._clock = clock
        self._encoder = msgspec.json.Encoder()
        self._waiting: list[_Seen] = []
        self._lines: list[bytes] = []
        self._said_s = monotonic() - _QUIET_S

    def answered(self, protocol: str, request: Request, response: Response, call: Call | None, version: str) -> None:
        """See `Meter`."""
        if len(self._waiting) + len(self._lines) >= self._most:
            self._count(DROPPED, 1)
            return
        headers = request.headers
        predictor, rows, request_id, spent_s = _NO_CALL if call is None else _known_of(call)
        self._waiting.append(
            _Seen(
                self._clock(),
                protocol,
                request.method,
                request.path,
                response.status,
                predictor,
                rows,
                request_id,
                spent_s,
                version,
                perf_counter() - request.began_s,
                len(request.body),
                len(response.body),
                headers.get(b"authorization", b""),
                headers.get(b"traceparent", b""),
            )
        )

    def tick(self) -> None:
        """Write what waits. To be called a few times a second."""
        self._lines += [self._encoder.encode(self._line(seen)) + b"\n" for seen in self._waiting]
        self._waiting.clear()
        if not self._lines:
            return
        try:
            del self._lines[: self._sink.write(self._lines)]
        except OSError as error:
            self._count(DROPPED, len(self._lines))
            self._lines.clear()
            self._say(error)

    def reopen(self) -> None:
        """Go on in a new file, since the old one was moved. Raises StoreError."""
        self.tick()
        self._sink.reopen()

    def close(self) -> None:
        """Write what can be."""
        self.tick()
        self._count(DROPPED, len(self._lines))
        self._sink.close()

    def _say(self, error: OSError) -> None:
        """At most once a minute."""
        if monotonic() >= self._said_s + _QUIET_S:
            self._said_s = monotonic()
            _LOGGER.error("access log: lines could not be written (%s); make room, or give access", error.strerror)

    def _line(self, seen: _Seen) -> Line:
        token, trace = _TOKEN.match(seen.authorization), _TRACE.match(seen.traceparent)
        return Line(
            time=datetime.fromtimestamp(seen.at, UTC),
            protocol=seen.protocol,
            method=seen.method[:_LONGEST_ID],
            path=template(seen.path, self._names),
            status=seen.status,
            predictor=seen.predictor or about(seen.path, self._names),
            version=seen.version,
            rows=seen.rows,
            ms=_milliseconds(seen.spent_s, seen.took_s),
            bytes_in=seen.bytes_in,
            bytes_out=seen.bytes_out,
            request_id=seen.request_id[:_LONGEST_ID],
            token=token[1].decode() if token else "",
            trace=trace[1].decode() if trace else "",
        )


def _milliseconds(spent_s: Sequence[float], took_s: float) -> dict[str, float]:
    """Whole microseconds; `round` takes ten times as long."""
    shown = {stage: int(seconds * 1e6 + 0.5) / 1000 for stage, seconds in zip(STAGES, spent_s, strict=False)}
    shown["total"] = int(took_s * 1e6 + 0.5) / 1000
    return shown


@lru_cache(maxsize=1024)
def template(path: str, names: frozenset[str]) -> str:
    """A path without what callers can make up: there are few of them, and none tells a secret.

    >>> names = frozenset(["late"])
    >>> template("/v2/models/late/versions/3/infer", names), template("/.env", names)
    ('/v2/models/{predictor}/versions/{version}/infer', '/{other}')
    """
    parts: list[str] = []
    for part in path.split("/")[:8]:
        if parts[-1:] == ["versions"]:
            parts.append("{version}")
        elif part in names and len(parts) > 1:
            parts.append("{predictor}")
        else:
            parts.append(part if part in _PLAIN or not part else "{other}")
    return "/".join(parts)
