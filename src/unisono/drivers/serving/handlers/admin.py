"""`/admin`: what the operator of the server asks for; the keeper does it."""

from __future__ import annotations

from unisono.drivers.serving.exchange import Reply, Request, Response
from unisono.drivers.serving.refusals import RefusalError, problem, refusal_of
from unisono.drivers.serving.security.gate import Gate
from unisono.drivers.serving.service import Path, require
from unisono.drivers.serving.versions.catalogue import Catalogue
from unisono.drivers.serving.workers.asking import Asks
from unisono.drivers.serving.workers.messages import What


class AdminHandler:
    """The operator's requests. With tokens, each wants one for `admin`.

    keeper:    does them.
    catalogue: what is served.
    gate:      asked before anything is done for a request.
    """

    what = "GET /admin/status; POST /admin/reload; POST /admin/models/NAME/rollback"

    def __init__(self, keeper: Asks, catalogue: Catalogue, gate: Gate) -> None:
        self._keeper = keeper
        self._catalogue = catalogue
        self._gate = gate

    def handle(self, request: Request, path: Path, reply: Reply) -> None:
        """Hand it on to the keeper. Raises RefusalError."""
        match path[1:]:
            case ["status"]:
                self._ask(request, "GET", "status", None, reply)
            case ["reload"]:
                self._ask(request, "POST", "reload", None, reply)
            case ["models", name, "rollback"]:
                self._ask(request, "POST", "rollback", name, reply)
            case _:
                seen = f"{request.path[:100]}: nothing is here"
                raise RefusalError("no_such_path", f"{seen}; allowed: {self.what}; correct the address")

    def _ask(self, request: Request, method: str, what: What, predictor: str | None, reply: Reply) -> None:
        self._gate.admit(request, "admin", predictor)
        if predictor is not None:
            self._catalogue.predictor(predictor)
        require(request, method)

        def told(error: Exception | None, answer: bytes) -> None:
            reply(Response(200, answer or b"{}") if error is None else self.refuse(refusal_of(error)))

        self._keeper.ask(what, predictor or "", told)

    def refuse(self, refusal: RefusalError) -> Response:
        """A refusal as a problem."""
        return problem(refusal)
