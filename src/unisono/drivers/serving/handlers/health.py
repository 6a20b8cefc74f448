"""`GET /health/live` and `/health/ready`."""

from __future__ import annotations

import msgspec

from unisono.drivers.serving.exchange import JSON, Reply, Request, Response
from unisono.drivers.serving.readiness import Readiness
from unisono.drivers.serving.refusals import RefusalError, problem
from unisono.drivers.serving.service import Path, require


class HealthHandler:
    """Whether the server lives, and whether it can answer. Nobody needs a token for it.

    readiness: of the worker.
    """

    what = "GET /health/live; GET /health/ready"

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def handle(self, request: Request, path: Path, reply: Reply) -> None:
        """Answer at once. Raises RefusalError."""
        if path[1:] not in (("live",), ("ready",)):
            raise RefusalError(
                "no_such_path", f"{request.path[:100]}: nothing is here; allowed: {self.what}; correct the address"
            )
        require(request, "GET", "HEAD")
        reply(self._ready() if path[1] == "ready" else _told(200, {"status": "live"}))

    def _ready(self) -> Response:
        """`ready` with positions, or 503 with the reason of each predictor that cannot answer."""
        reasons = {name: reason for name, reason in self._readiness.reasons().items() if reason}
        positions = self._readiness.positions()
        if self._readiness.is_stopping:
            return _told(503, {"status": "stopping", "reasons": reasons, "positions": positions})
        if reasons:
            return _told(503, {"status": "not ready", "reasons": reasons, "positions": positions})
        return _told(200, {"status": "ready", "positions": positions})

    def refuse(self, refusal: RefusalError) -> Response:
        """A refusal as a problem."""
        return problem(refusal)


def _told(status: int, answer: dict[str, object]) -> Response:
    headers = (JSON,) if status == 200 else (JSON, (b"retry-after", b"1"))
    return Response(status, msgspec.json.encode(answer), headers)
