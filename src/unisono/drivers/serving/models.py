"""What the Open Inference Protocol asks for, whoever carries it: inference, metadata, readiness, loading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from unisono.drivers.serving.calls import Call, Outcome
from unisono.drivers.serving.exchange import Request
from unisono.drivers.serving.refusals import RefusalError
from unisono.drivers.serving.repository import Form, ModelState, Repository
from unisono.drivers.serving.security.gate import Gate
from unisono.drivers.serving.service import deadline_of, request_id_of
from unisono.drivers.serving.versions.catalogue import Catalogue, Served
from unisono.drivers.serving.wire.asked import Asked
from unisono.drivers.serving.wire.columns import RequestColumns
from unisono.spec.wording import listing

SERVER = "unisono"
PLATFORM = "onnx"
EXTENSIONS = ("binary_tensor_data", "model_repository")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a predictor takes and gives.

    name:     of the predictor; versions: ids of those that are served.
    inputs:   one a request column.
    outputs:  of the version asked about, or of the one that answers; empty while they are not known.
    """

    name: str
    versions: tuple[str, ...]
    inputs: tuple[Form, ...]
    outputs: tuple[Form, ...]


class Models:
    """The predictors as the protocol's models. On the thread of the loop.

    catalogue:  what is served; repository: its versions.
    gate:       asked before anything is done for a request.
    timeout_s:  of callers who do not say how long they wait.

    Its methods raise RefusalError, and InputError for inputs that do not fit.
    """

    def __init__(self, catalogue: Catalogue, repository: Repository, gate: Gate, *, timeout_s: float) -> None:
        self._catalogue = catalogue
        self._repository = repository
        self._gate = gate
        self._timeout_s = timeout_s
        self._columns: dict[str, RequestColumns] = {}

    # Inference --------------------------------------------------------------------------------------------------------

    def admitted(self, request: Request, name: str) -> Served:
        """The predictor of a name, for a caller who may ask it."""
        self._gate.admit(request, "predict", name)
        return self._catalogue.predictor(name)

    def infer(
        self,
        request: Request,
        served: Served,
        asked: Asked,
        done: Callable[[Outcome], None],
        *,
        version: str,
        began_s: float,
    ) -> Call:
        """Let what is asked wait for its turn.

        version: id or alias; "" for whichever answers.
        began_s: when it was begun to be decoded, by `time.perf_counter`.
        """
        rows, features = self._columns_of(served).rows(asked.tensors)
        deadline_s = deadline_of(request, default_s=self._timeout_s)
        if asked.timeout_s is not None:
            deadline_s = min(deadline_s, (request.began_s or began_s) + asked.timeout_s)
        call = Call(
            served.plan.name,
            rows,
            done,
            version=version or None,
            features=features,
            deadline_s=deadline_s,
            arrived_s=began_s,
            request_id=request_id_of(request, asked.id),
        )
        call.queued_s = perf_counter()
        call.spent_s[0] = call.queued_s - began_s
        served.submit(call)
        return call

    def _columns_of(self, served: Served) -> RequestColumns:
        known = self._columns.get(served.plan.name)
        if known is None or known.plan is not served.plan:  # a predictor may come back with another plan
            known = self._columns[served.plan.name] = RequestColumns(served.plan, served.decoder)
        return known

    # About models -----------------------------------------------------------------------------------------------------

    def metadata(self, request: Request, name: str, version: str) -> Metadata:
        """What a predictor takes and gives."""
        states = self._states(request, name, version)
        served = self._catalogue.predictor(name)
        versions = tuple(state.version for state in self._repository.index() if state.name == name)
        outputs = states[0].outputs if states else ()
        return Metadata(name, versions, self._columns_of(served).forms, outputs)

    def is_ready(self, request: Request, name: str, version: str) -> bool:
        """Whether a predictor, or one version of it, answers."""
        return any(state.can_answer for state in self._states(request, name, version))

    def _states(self, request: Request, name: str, version: str) -> Sequence[ModelState]:
        self._gate.admit(request, "read", name)
        self._catalogue.predictor(name)
        found = [state for state in self._repository.index() if state.name == name]
        if not version:
            return found
        named = [state for state in found if version == state.version or version in state.aliases]
        if not named:
            allowed = listing(word for state in found for word in (*state.aliases, state.version))
            raise RefusalError(
                "no_such_version",
                f"{name}: version {version[:100]} is not served; allowed: {allowed}; correct the address",
            )
        return named

    # Repository -------------------------------------------------------------------------------------------------------

    def index(self, request: Request) -> Sequence[ModelState]:
        """The versions that are served."""
        self._gate.admit(request, "read", None)
        return self._repository.index()

    def load(self, request: Request, name: str, done: Callable[[Exception | None], None]) -> None:
        """Load a predictor, or look again which version answers."""
        self._gate.admit(request, "admin", name)
        self._catalogue.predictor(name)
        self._repository.load(name, done)

    def unload(self, request: Request, name: str, done: Callable[[Exception | None], None]) -> None:
        """Let a predictor's versions leave the memory."""
        self._gate.admit(request, "admin", name)
        self._catalogue.predictor(name)
        self._repository.unload(name, done)
