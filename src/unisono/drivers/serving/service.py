"""Finds the handler of a path, and sees to it that every request gets one response."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from time import perf_counter
from typing import Protocol

from unisono.drivers.serving.exchange import Cancel, Reply, Request, Response
from unisono.drivers.serving.operations.meter import PROTOCOLS, Meter, NoMeter
from unisono.drivers.serving.refusals import RefusalError, problem, refusal_of
from unisono.spec.errors import UnisonoError

_LOGGER = logging.getLogger(__name__)

_LONGEST_ID = 100  # of a request: it is written into every log

Path = tuple[str, ...]
"""The parts of a path after its first slash; the first part names the handler."""


class Handler(Protocol):
    """Answers the requests under one first part of a path."""

    @property
    def what(self) -> str:
        """What it has, for a caller who looked for something else: `POST /predict/NAME`."""
        ...

    def handle(self, request: Request, path: Path, reply: Reply) -> Cancel | None:
        """Answer a request, now or later. Raises RefusalError or UnisonoError if it is refused at once.

        Returns what takes the request back, if it is not answered yet.
        """
        ...

    def refuse(self, refusal: RefusalError) -> Response:
        """A refusal in the form that its callers know."""
        ...


class Service:
    """All that is served.

    handlers: by the first part of their paths.
    meter:    told of what is refused before a handler has taken it; of the rest the handlers tell it.
    """

    def __init__(self, handlers: Mapping[str, Handler], meter: Meter | None = None) -> None:
        self._handlers = handlers
        self._meter = meter or NoMeter()

    def replace(self, handlers: Mapping[str, Handler]) -> None:
        """Other handlers, from the next request on."""
        self._handlers = handlers

    def handle(self, request: Request, reply: Reply) -> Cancel | None:
        """Answer a request: `reply` gets the one response, now or later, on this thread.

        Returns what takes the request back, if it is not answered yet. Raises nothing.
        """
        path = _parts(request.path)
        handler = self._handlers.get(path[0]) if path else None
        if handler is None:
            self._refuse(problem(self._no_such_path(request.path)), request, "other", reply)
            return None
        try:
            return handler.handle(request, path, reply)
        except Exception as error:
            if not isinstance(error, RefusalError | UnisonoError):
                _LOGGER.error("%s %s failed", request.method, request.path, exc_info=error)
            protocol = path[0] if path[0] in PROTOCOLS else "other"
            self._refuse(handler.refuse(refusal_of(error)), request, protocol, reply)
            return None

    def _refuse(self, response: Response, request: Request, protocol: str, reply: Reply) -> None:
        reply(response)
        self._meter.answered(protocol, request, response, None, "")

    def _no_such_path(self, path: str) -> RefusalError:
        allowed = "; ".join(handler.what for handler in self._handlers.values())
        return RefusalError("no_such_path", f"{path[:100]}: nothing is here; allowed: {allowed}; correct the address")


@lru_cache(maxsize=256)  # most requests ask at few addresses
def _parts(path: str) -> Path:
    return tuple(path.split("/")[1:])


def require(request: Request, *methods: str) -> None:
    """Raises RefusalError unless the request has one of these methods."""
    if request.method not in methods:
        allowed = " or ".join(methods)
        seen = f"{request.path[:100]}: method {request.method[:20]}"
        message = f"{seen}; allowed: {allowed}; correct the method"
        raise RefusalError("method_not_allowed", message, methods=methods)


def request_id_of(request: Request, given: str = "") -> str:
    """The caller's own name for a request, as the protocol gives it or the header `x-request-id`; "" for none."""
    if given:
        return given[:_LONGEST_ID]
    header = request.headers.get(b"x-request-id")
    return "" if header is None else header[:_LONGEST_ID].decode("latin-1")


def deadline_of(request: Request, *, default_s: float) -> float:
    """When nobody wants the answer any more, by `time.perf_counter`, as the header `x-timeout-ms` says.

    Raises RefusalError if that is no number above 0.
    """
    given = request.headers.get(b"x-timeout-ms")
    began_s = request.began_s or perf_counter()
    if given is None:
        return began_s + default_s
    try:
        timeout_ms = float(given)
    except ValueError:
        timeout_ms = -1.0
    if not 0 < timeout_ms < float("inf"):
        seen = given[:20].decode("latin-1")
        raise RefusalError(
            "bad_request", f"x-timeout-ms: {seen}; allowed: milliseconds, above 0; correct or leave out the header"
        )
    return began_s + timeout_ms / 1000
