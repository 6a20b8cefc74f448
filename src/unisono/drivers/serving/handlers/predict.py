"""`POST /predict/NAME`."""

from __future__ import annotations

import logging
from time import perf_counter
from urllib.parse import parse_qsl

from unisono.drivers.serving.calls import Answered, Call, Outcome
from unisono.drivers.serving.exchange import Cancel, Reply, Request, Response
from unisono.drivers.serving.operations.meter import Meter
from unisono.drivers.serving.refusals import RefusalError, problem, refusal_of
from unisono.drivers.serving.security.gate import Gate
from unisono.drivers.serving.service import Path, deadline_of, request_id_of, require
from unisono.drivers.serving.versions.catalogue import Catalogue
from unisono.drivers.serving.wire.compression import body_of, compressed
from unisono.drivers.serving.wire.predict import encode_one, encode_some

_LOGGER = logging.getLogger(__name__)


class PredictHandler:
    """Predictions by name.

    catalogue:  what is served.
    gate:       asked before anything is done for a request.
    meter:      told of each answer.
    timeout_s:  of callers who do not say how long they wait.
    most_bytes: largest body, also once it is inflated.
    """

    what = "POST /predict/NAME"

    def __init__(self, catalogue: Catalogue, gate: Gate, meter: Meter, *, timeout_s: float, most_bytes: int) -> None:
        self._catalogue = catalogue
        self._gate = gate
        self._meter = meter
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes

    def handle(self, request: Request, path: Path, reply: Reply) -> Cancel | None:
        """Decode, and let it wait for its turn. Raises RefusalError, InputError."""
        name = "/".join(path[1:])
        self._gate.admit(request, "predict", name)
        served = self._catalogue.predictor(name)
        require(request, "POST")
        wanted = _version_of(request.query) if request.query else None
        began_s = perf_counter()
        rows, is_list = served.decoder.decode_some(body_of(request, most_bytes=self._most_bytes))

        def done(outcome: Outcome) -> None:
            encoded_s = perf_counter()
            version = outcome.version if isinstance(outcome, Answered) else ""
            response = self._answer(request, outcome, is_list=is_list)
            call.spent_s[4] = perf_counter() - encoded_s
            reply(response)
            self._meter.answered("predict", request, response, call, version)

        deadline_s = deadline_of(request, default_s=self._timeout_s)
        call = Call(served.plan.name, rows, done, version=wanted, deadline_s=deadline_s, arrived_s=began_s)
        call.request_id = request_id_of(request)
        call.queued_s = perf_counter()
        call.spent_s[0] = call.queued_s - began_s
        served.submit(call)
        return call.cancel

    def _answer(self, request: Request, outcome: Outcome, *, is_list: bool) -> Response:
        if isinstance(outcome, Exception):
            return self.refuse(refusal_of(outcome))
        try:
            return compressed(encode_some(outcome) if is_list else encode_one(outcome), request)
        except Exception as error:  # of a value that JSON does not have
            _LOGGER.exception("an answer could not be written")
            return self.refuse(refusal_of(error))

    def refuse(self, refusal: RefusalError) -> Response:
        """A refusal as a problem."""
        return problem(refusal)


def _version_of(query: bytes) -> str | None:
    """The version that the query asks for. Raises RefusalError if it asks for anything else."""
    try:
        asked = parse_qsl(query.decode("latin-1"), keep_blank_values=True, strict_parsing=True, max_num_fields=1)
    except ValueError:
        asked = []
    if len(asked) != 1 or asked[0][0] != "version":
        seen = f"the query ?{query[:40].decode('latin-1')}"
        raise RefusalError(
            "bad_request", f"{seen}; allowed: ?version=ID or ?version=ALIAS, or none; correct the address"
        )
    return asked[0][1] or None
