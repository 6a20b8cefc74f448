"""`/v2`: the Open Inference Protocol over HTTP, with the binary tensor data extension and the model repository."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import msgspec

import unisono
from unisono.drivers.serving.calls import Answered, Outcome
from unisono.drivers.serving.exchange import JSON, Cancel, Reply, Request, Response
from unisono.drivers.serving.models import EXTENSIONS, PLATFORM, SERVER, Models
from unisono.drivers.serving.operations.meter import Meter
from unisono.drivers.serving.refusals import RefusalError, problem, refusal_of
from unisono.drivers.serving.repository import Form as TensorForm
from unisono.drivers.serving.repository import ModelState
from unisono.drivers.serving.service import Path, require
from unisono.drivers.serving.versions.catalogue import Served
from unisono.drivers.serving.wire.asked import Asked
from unisono.drivers.serving.wire.compression import body_of, compressed
from unisono.drivers.serving.wire.oip import JSON_LENGTH, Form, decode_infer, encode_infer, encode_json
from unisono.drivers.serving.wire.tensors import outputs_of

_NOTHING = Response(200, b"{}", (JSON,))


class _IndexRequest(msgspec.Struct):
    ready: bool = False


class OipHandler:
    """The protocol's paths.

    models:     what is behind them.
    meter:      told of each answer.
    readiness:  raises RefusalError or UnisonoError if the server cannot answer.
    most_bytes: largest body, also once it is inflated.
    """

    what = "GET /v2; GET /v2/models/NAME; POST /v2/models/NAME/infer; POST /v2/repository/index"

    def __init__(self, models: Models, meter: Meter, readiness: Callable[[], object], *, most_bytes: int) -> None:
        self._models = models
        self._meter = meter
        self._readiness = readiness
        self._most_bytes = most_bytes

    def handle(self, request: Request, path: Path, reply: Reply) -> Cancel | None:
        """Answer, or let it wait for its turn. Raises RefusalError, UnisonoError."""
        match path[1:]:
            case ["models", name, "infer"]:
                return self._infer(request, name, "", reply)
            case ["models", name, "versions", version, "infer"]:
                return self._infer(request, name, version, reply)
            case ["repository", "models", name, "load"]:
                require(request, "POST")
                self._models.load(request, name, lambda error: self._done(error, request, reply))
            case ["repository", "models", name, "unload"]:
                require(request, "POST")
                self._models.unload(request, name, lambda error: self._done(error, request, reply))
            case _:
                self._reply(self._told(request, path), request, reply)
        return None

    def _reply(self, response: Response, request: Request, reply: Reply) -> None:
        reply(response)
        self._meter.answered("v2", request, response, None, "")

    def refuse(self, refusal: RefusalError) -> Response:
        """A refusal as the protocol has it: plain JSON with `error`, and 400 for inputs that do not fit."""
        status = 400 if refusal.status == 422 else None
        return problem(refusal, content_type=JSON[1], status=status)

    # What is told at once ---------------------------------------------------------------------------------------------

    def _told(self, request: Request, path: Path) -> Response:
        match path[1:]:
            case [] | [""]:
                return self._server(request)
            case ["health", "live"]:
                return self._health(request, lambda: None)
            case ["health", "ready"]:
                return self._health(request, self._readiness)
            case ["models", name] | ["models", name, ""]:
                return self._metadata(request, name, "")
            case ["models", name, "versions", version]:
                return self._metadata(request, name, version)
            case ["models", name, "ready"]:
                return self._model_ready(request, name, "")
            case ["models", name, "versions", version, "ready"]:
                return self._model_ready(request, name, version)
            case ["repository", "index"]:
                return self._index(request)
        seen = f"{request.path[:100]}: nothing is here"
        raise RefusalError("no_such_path", f"{seen}; allowed: {self.what}; correct the address")

    def _server(self, request: Request) -> Response:
        require(request, "GET", "HEAD")
        return encode_json({"name": SERVER, "version": unisono.__version__, "extensions": EXTENSIONS})

    def _health(self, request: Request, check: Callable[[], object]) -> Response:
        require(request, "GET", "HEAD")
        check()
        return _NOTHING

    def _metadata(self, request: Request, name: str, version: str) -> Response:
        require(request, "GET", "HEAD")
        metadata = self._models.metadata(request, name, version)
        return encode_json(
            {
                "name": metadata.name,
                "versions": metadata.versions,
                "platform": PLATFORM,
                "inputs": [_form(one) for one in metadata.inputs],
                "outputs": [_form(one) for one in metadata.outputs],
            }
        )

    def _model_ready(self, request: Request, name: str, version: str) -> Response:
        require(request, "GET", "HEAD")
        if not self._models.is_ready(request, name, version):
            seen = f"{name}: it is not ready"
            raise RefusalError(
                "not_available",
                f"{seen}; allowed: requests once it is; /v2/repository/index says why; come again later",
                retry_after_s=1.0,
            )
        return _NOTHING

    def _index(self, request: Request) -> Response:
        require(request, "POST")
        states = self._models.index(request)
        wanted = _index_request(body_of(request, most_bytes=self._most_bytes))
        return encode_json([_state(one) for one in states if one.can_answer or not wanted.ready])

    # What is answered later -------------------------------------------------------------------------------------------

    def _done(self, error: Exception | None, request: Request, reply: Reply) -> None:
        self._reply(_NOTHING if error is None else self.refuse(refusal_of(error)), request, reply)

    def _infer(self, request: Request, name: str, version: str, reply: Reply) -> Cancel:
        served = self._models.admitted(request, name)
        require(request, "POST")
        began_s = perf_counter()
        body = body_of(request, most_bytes=self._most_bytes)
        asked, form = decode_infer(body, request.headers.get(JSON_LENGTH))

        def done(outcome: Outcome) -> None:
            encoded_s = perf_counter()
            response = self._answer(request, served, asked, form, outcome)
            call.spent_s[4] = perf_counter() - encoded_s
            reply(response)
            version_id = outcome.version if response.status == 200 and isinstance(outcome, Answered) else ""
            self._meter.answered("v2", request, response, call, version_id)

        call = self._models.infer(request, served, asked, done, version=version, began_s=began_s)
        return call.cancel

    def _answer(self, request: Request, served: Served, asked: Asked, form: Form, outcome: Outcome) -> Response:
        if not isinstance(outcome, Answered):
            return self.refuse(refusal_of(outcome))
        try:
            outputs = outputs_of(outcome, asked.outputs, served.plan.time)
            return compressed(encode_infer(served.plan.name, asked, outcome, outputs, form=form), request)
        except Exception as error:
            return self.refuse(refusal_of(error))


def _index_request(body: bytes) -> _IndexRequest:
    try:
        return msgspec.json.decode(body, type=_IndexRequest) if body.strip() else _IndexRequest()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        allowed = 'no body, or {"ready": true}'
        raise RefusalError("bad_request", f"the body: {error}; allowed: {allowed}; correct the request") from error


def _form(form: TensorForm) -> dict[str, Any]:
    return {"name": form.name, "datatype": form.datatype, "shape": form.shape}


def _state(state: ModelState) -> dict[str, str]:
    return {"name": state.name, "version": state.version, "state": state.state, "reason": state.reason}
