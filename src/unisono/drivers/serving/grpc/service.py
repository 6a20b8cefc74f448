"""The calls of `inference.GRPCInferenceService`: bytes in, bytes out; they know no gRPC library."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from google.protobuf.message import DecodeError

import unisono
from unisono.drivers.serving.calls import Answered, Call, Outcome
from unisono.drivers.serving.exchange import Cancel, Request, Response
from unisono.drivers.serving.grpc.messages import MESSAGES, SERVICE
from unisono.drivers.serving.grpc.tensors import decode_infer, encode_infer
from unisono.drivers.serving.models import EXTENSIONS, PLATFORM, SERVER, Models
from unisono.drivers.serving.operations.meter import Meter
from unisono.drivers.serving.refusals import RefusalError, refusal_of
from unisono.drivers.serving.repository import Form
from unisono.drivers.serving.versions.catalogue import Served
from unisono.drivers.serving.wire.asked import Asked
from unisono.drivers.serving.wire.tensors import outputs_of
from unisono.spec.errors import UnisonoError

_LOGGER = logging.getLogger(__name__)

Reply = Callable[[bytes | RefusalError], None]
"""Takes the one answer to a call, on the thread of the loop."""


class GrpcService:
    """Answers the service's calls. On the thread of the loop.

    models:    what is behind them.
    meter:     told of each answer.
    readiness: raises RefusalError or UnisonoError if the server cannot answer.
    """

    def __init__(self, models: Models, meter: Meter, readiness: Callable[[], object]) -> None:
        self._models = models
        self._meter = meter
        self._readiness = readiness
        self._told: Mapping[str, Callable[[Request, Any], bytes]] = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server_metadata,
            "ModelMetadata": self._model_metadata,
            "RepositoryIndex": self._repository_index,
        }
        self._later: Mapping[str, Callable[[Request, Any, Reply], Cancel | None]] = {
            "ModelInfer": self._model_infer,
            "RepositoryModelLoad": self._load,
            "RepositoryModelUnload": self._unload,
        }

    @property
    def methods(self) -> tuple[str, ...]:
        """Full names of the calls."""
        return tuple(f"/{SERVICE}/{name}" for name in (*self._told, *self._later))

    def handle(self, request: Request, reply: Reply) -> Cancel | None:
        """Answer a call, now or later. Raises nothing.

        request: its path is the call's full name, its body the message, its headers the metadata.

        Returns what takes it back, if it is not answered yet.
        """
        name = request.path.rpartition("/")[2]
        try:
            message = _parsed(f"{name}Request", request.body)
            if name in self._later:
                return self._later[name](request, message, reply)
            answer: bytes | RefusalError = self._told[name](request, message)
        except Exception as error:
            answer = refusal_of(error)
            if answer.code == "internal":
                _LOGGER.error("%s failed", request.path, exc_info=error)
        self._reply(answer, request, reply)
        return None

    def _reply(
        self, answer: bytes | RefusalError, request: Request, reply: Reply, call: Call | None = None, version: str = ""
    ) -> None:
        reply(answer)
        response = Response(200, answer, ()) if isinstance(answer, bytes) else Response(answer.status)
        self._meter.answered("grpc", request, response, call, version)

    # What is told at once ---------------------------------------------------------------------------------------------

    def _server_live(self, request: Request, message: Any) -> bytes:
        return _message("ServerLiveResponse", live=True)

    def _server_ready(self, request: Request, message: Any) -> bytes:
        try:
            self._readiness()
        except (RefusalError, UnisonoError):
            return _message("ServerReadyResponse", ready=False)
        return _message("ServerReadyResponse", ready=True)

    def _server_metadata(self, request: Request, message: Any) -> bytes:
        return _message("ServerMetadataResponse", name=SERVER, version=unisono.__version__, extensions=EXTENSIONS)

    def _model_ready(self, request: Request, message: Any) -> bytes:
        return _message("ModelReadyResponse", ready=self._models.is_ready(request, message.name, message.version))

    def _model_metadata(self, request: Request, message: Any) -> bytes:
        metadata = self._models.metadata(request, message.name, message.version)
        return _message(
            "ModelMetadataResponse",
            name=metadata.name,
            versions=metadata.versions,
            platform=PLATFORM,
            inputs=[_form(one) for one in metadata.inputs],
            outputs=[_form(one) for one in metadata.outputs],
        )

    def _repository_index(self, request: Request, message: Any) -> bytes:
        models = [
            {"name": one.name, "version": one.version, "state": one.state, "reason": one.reason}
            for one in self._models.index(request)
            if one.can_answer or not message.ready
        ]
        return _message("RepositoryIndexResponse", models=models)

    # What is answered later -------------------------------------------------------------------------------------------

    def _model_infer(self, request: Request, message: Any, reply: Reply) -> Cancel:
        served = self._models.admitted(request, message.model_name)
        began_s = perf_counter()
        asked, is_raw = decode_infer(message), bool(message.raw_input_contents)

        def done(outcome: Outcome) -> None:
            encoded_s = perf_counter()
            answer = _answer(served, asked, outcome, is_raw=is_raw)
            call.spent_s[4] = perf_counter() - encoded_s
            version = outcome.version if isinstance(answer, bytes) and isinstance(outcome, Answered) else ""
            self._reply(answer, request, reply, call, version)

        call = self._models.infer(request, served, asked, done, version=message.model_version, began_s=began_s)
        return call.cancel

    def _load(self, request: Request, message: Any, reply: Reply) -> None:
        self._models.load(request, message.model_name, self._when_done("RepositoryModelLoadResponse", request, reply))

    def _unload(self, request: Request, message: Any, reply: Reply) -> None:
        self._models.unload(
            request, message.model_name, self._when_done("RepositoryModelUnloadResponse", request, reply)
        )

    def _when_done(self, message: str, request: Request, reply: Reply) -> Callable[[Exception | None], None]:
        def done(error: Exception | None) -> None:
            self._reply(_message(message) if error is None else refusal_of(error), request, reply)

        return done


def _parsed(name: str, body: bytes) -> Any:
    try:
        return MESSAGES[name].FromString(body)
    except DecodeError as error:
        raise RefusalError("bad_request", f"no {name}; allowed: the message of the protocol; correct it") from error


def _message(message: str, /, **fields: Any) -> bytes:
    encoded: bytes = MESSAGES[message](**fields).SerializeToString()
    return encoded


def _form(form: Form) -> dict[str, Any]:
    return {"name": form.name, "datatype": form.datatype, "shape": form.shape}


def _answer(served: Served, asked: Asked, outcome: Outcome, *, is_raw: bool) -> bytes | RefusalError:
    if not isinstance(outcome, Answered):
        return refusal_of(outcome)
    try:
        outputs = outputs_of(outcome, asked.outputs, served.plan.time)
        return encode_infer(served.plan.name, asked, outcome, outputs, is_raw=is_raw)
    except Exception as error:
        return refusal_of(error)
