"""`POST /predict/NAME`."""

from __future__ import annotations

from time import perf_counter

from unisono.drivers.serving.calls import Call, Outcome
from unisono.drivers.serving.exchange import Cancel, Reply, Request, Response
from unisono.drivers.serving.refusals import RefusalError, problem, refusal_of
from unisono.drivers.serving.service import Path, deadline_of, require
from unisono.drivers.serving.versions.catalogue import Catalogue
from unisono.drivers.serving.wire.predict import encode_one, encode_some


class PredictHandler:
    """Predictions by name.

    catalogue: what is served.
    timeout_s: of callers who do not say how long they wait.
    """

    what = "POST /predict/NAME"

    def __init__(self, catalogue: Catalogue, *, timeout_s: float) -> None:
        self._catalogue = catalogue
        self._timeout_s = timeout_s

    def handle(self, request: Request, path: Path, reply: Reply) -> Cancel | None:
        """Decode, and let it wait for its turn. Raises RefusalError, InputError."""
        served = self._catalogue.predictor("/".join(path[1:]))
        require(request, "POST")
        began_s = perf_counter()
        rows, is_list = served.decoder.decode_some(request.body)

        def done(outcome: Outcome) -> None:
            if isinstance(outcome, Exception):
                reply(self.refuse(refusal_of(outcome)))
                return
            encoded_s = perf_counter()
            response = encode_some(outcome) if is_list else encode_one(outcome)
            call.spent_s[4] = perf_counter() - encoded_s
            reply(response)

        deadline_s = deadline_of(request, default_s=self._timeout_s)
        call = Call(served.plan.name, rows, done, deadline_s=deadline_s, arrived_s=began_s)
        call.queued_s = perf_counter()
        call.spent_s[0] = call.queued_s - began_s
        served.submit(call)
        return call.cancel

    def refuse(self, refusal: RefusalError) -> Response:
        """A refusal as a problem."""
        return problem(refusal)
