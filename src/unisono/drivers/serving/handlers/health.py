"""`GET /health/live` and `/health/ready`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from unisono.drivers.serving.exchange import Reply, Request, Response
from unisono.drivers.serving.refusals import RefusalError, problem
from unisono.drivers.serving.service import Path, require

Readiness = Callable[[], Mapping[str, int]]
"""The position that each predictor's state is at. Raises UnisonoError if one cannot answer."""


class HealthHandler:
    """Whether the server lives, and whether it can answer.

    readiness: asked for each `/health/ready`.
    """

    what = "GET /health/live; GET /health/ready"

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def handle(self, request: Request, path: Path, reply: Reply) -> None:
        """Answer at once. Raises RefusalError."""
        if path[1:] not in (["live"], ["ready"]):
            raise RefusalError(
                "no_such_path", f"{request.path[:100]}: nothing is here; allowed: {self.what}; correct the address"
            )
        require(request, "GET", "HEAD")
        answer: dict[str, object] = {"status": path[1]}
        if path[1] == "ready":
            answer["positions"] = self._readiness()
        reply(Response(200, msgspec.json.encode(answer)))

    def refuse(self, refusal: RefusalError) -> Response:
        """A refusal as a problem."""
        return problem(refusal)
