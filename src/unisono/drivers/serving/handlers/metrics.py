"""`GET /metrics`."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable

from unisono.drivers.serving.exchange import Reply, Request, Response
from unisono.drivers.serving.refusals import RefusalError, problem, refusal_of
from unisono.drivers.serving.security.gate import Gate
from unisono.drivers.serving.service import Path, require

Render = Callable[[str], tuple[bytes, str]]
"""Makes the text and its content type of what the caller accepts. On any thread."""


class MetricsHandler:
    """What all workers have counted, for Prometheus.

    render: makes the text, in a thread: with many predictors it takes a while.
    gate:   lets callers in who may read.
    """

    what = "GET /metrics"

    def __init__(self, render: Render, gate: Gate) -> None:
        self._render = render
        self._gate = gate

    def handle(self, request: Request, path: Path, reply: Reply) -> None:
        """Answer soon. Raises RefusalError."""
        if len(path) > 1:
            seen = f"{request.path[:100]}: nothing is here"
            raise RefusalError("no_such_path", f"{seen}; allowed: {self.what}; correct the address")
        require(request, "GET", "HEAD")
        self._gate.admit(request, "read", None)
        accept = request.headers.get(b"accept", b"").decode("latin-1")
        rendering = asyncio.get_running_loop().run_in_executor(None, self._render, accept)
        rendering.add_done_callback(lambda rendered: reply(self._response(rendered)))

    def _response(self, rendered: Future[tuple[bytes, str]]) -> Response:
        error = rendered.exception()
        if isinstance(error, Exception):
            return self.refuse(refusal_of(error))
        body, content_type = rendered.result()
        return Response(200, body, ((b"content-type", content_type.encode()),))

    def refuse(self, refusal: RefusalError) -> Response:
        """A refusal as a problem."""
        return problem(refusal)
