"""`GET /openapi.json`: what is served, for people's tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.serving.exchange import Reply, Request, Response
from unisono.drivers.serving.refusals import RefusalError, problem
from unisono.drivers.serving.repository import Form, Repository
from unisono.drivers.serving.security.gate import Gate
from unisono.drivers.serving.service import Path, require
from unisono.drivers.serving.versions.catalogue import Catalogue
from unisono.drivers.serving.wire.compression import compressed
from unisono.drivers.serving.wire.openapi import document


class OpenapiHandler:
    """The document, made anew when something else is served.

    catalogue:  what is served; repository: its versions.
    gate:       asked before anything is done for a request.
    """

    what = "GET /openapi.json"

    def __init__(self, catalogue: Catalogue, repository: Repository, gate: Gate) -> None:
        self._catalogue = catalogue
        self._repository = repository
        self._gate = gate
        self._made_of: tuple[object, ...] = ()
        self._made = Response(200)

    def handle(self, request: Request, path: Path, reply: Reply) -> None:
        """Answer at once. Raises RefusalError."""
        if path[1:]:
            raise RefusalError(
                "no_such_path", f"{request.path[:100]}: nothing is here; allowed: {self.what}; correct the address"
            )
        require(request, "GET", "HEAD")
        self._gate.admit(request, "read", None)
        reply(compressed(self._document(), request))

    def _document(self) -> Response:
        plans = [self._catalogue.predictor(name).plan for name in self._catalogue.names]
        outputs = self._outputs()
        made_of = (self._gate.is_open, outputs, *plans)
        if made_of != self._made_of:
            self._made_of, self._made = made_of, self._make(plans, outputs)
        return self._made

    def _outputs(self) -> Mapping[str, Sequence[Form]]:
        """Of the version that answers, or of another that is like it."""
        return {state.name: state.outputs for state in reversed(self._repository.index()) if state.outputs}

    def _make(self, plans: Sequence[OnlinePlan], outputs: Mapping[str, Sequence[Form]]) -> Response:
        found = document(plans, outputs, wants_token=not self._gate.is_open)
        return Response(200, msgspec.json.encode(found))

    def refuse(self, refusal: RefusalError) -> Response:
        """A refusal as a problem."""
        return problem(refusal)
