"""Puts one worker together, from what the keeper says."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unisono.drivers.online.plan_json import plan_from
from unisono.drivers.online.reading import Lookup, StateReader
from unisono.drivers.serving.handlers.admin import AdminHandler
from unisono.drivers.serving.handlers.features import FeaturesHandler
from unisono.drivers.serving.handlers.health import HealthHandler
from unisono.drivers.serving.handlers.oip import OipHandler
from unisono.drivers.serving.handlers.openapi import OpenapiHandler
from unisono.drivers.serving.handlers.predict import PredictHandler
from unisono.drivers.serving.http.server import HttpServer
from unisono.drivers.serving.http.tls import renew, tls_of
from unisono.drivers.serving.lanes import Bounds, Lanes
from unisono.drivers.serving.models import Models
from unisono.drivers.serving.operations.memory import memory_of
from unisono.drivers.serving.operations.metrics import Memory
from unisono.drivers.serving.operations.observers import Observers, Place
from unisono.drivers.serving.prepared import load
from unisono.drivers.serving.readiness import Readiness
from unisono.drivers.serving.security.gate import Gate
from unisono.drivers.serving.security.rates import Rates
from unisono.drivers.serving.security.tokens import Token
from unisono.drivers.serving.service import Handler, Service
from unisono.drivers.serving.settings import Calls, Http, Serve
from unisono.drivers.serving.states import states_of
from unisono.drivers.serving.versions.changing import ChangingCatalogue
from unisono.drivers.serving.versions.loaded import PreparedVersion
from unisono.drivers.serving.versions.routes import Routes
from unisono.drivers.serving.workers.asking import Asks
from unisono.drivers.serving.workers.messages import Boot
from unisono.drivers.serving.workers.repository import AskedRepository

if TYPE_CHECKING:
    from unisono.drivers.serving.grpc.server import GrpcServer

_FAREWELL_S = 0.5  # in which clients that send one request after the other are told to go elsewhere


class Worker:
    """All that answers in one process.

    boot:   what there is to be.
    keeper: does what callers may ask of it.

    `service` answers requests, whoever carries them. For the thread of the loop.
    """

    def __init__(self, boot: Boot, keeper: Asks) -> None:
        self._boot = boot
        self._settings = boot.settings
        plans = {one.plan.name: plan_from(one.plan) for one in boot.predictors}
        self._plans = plans
        states = {
            one.plan.name: states_of(Path(one.states), plans[one.plan.name].identities) for one in boot.predictors
        }
        self._lookups = {name: Lookup(StateReader(states[name], plan), plan) for name, plan in plans.items()}
        tallies = Path(boot.shared) / "tallies"
        tallies.mkdir(exist_ok=True)
        place = Place(boot.slot, Path(boot.root), tallies, boot.log)
        self._observers = Observers(boot.settings, place, list(plans.values()), self._memory)
        self._lanes = Lanes(_bounds(boot.settings.calls), self._observers.watchers)
        budget_bytes = boot.settings.memory.bytes // boot.workers
        self._catalogue = ChangingCatalogue(list(plans.values()), self._lanes, self._load, budget_bytes=budget_bytes)
        self._served: set[str] = set()
        self._readiness = Readiness(self._reasons_of_versions, states)
        self._gate = Gate(boot.tokens, Rates(Path(boot.shared) / "rates"))
        self._states = states
        self._keeper = keeper
        self._repository = AskedRepository(self._catalogue, keeper)
        self._models = self._make_models()
        self.service = Service(self._handlers(), self._observers.meter)
        self._tls = tls_of(boot.settings.http, Path(boot.root))
        self._http: HttpServer | None = None
        self._grpc: GrpcServer | None = None
        self._applying: set[asyncio.Future[None]] = set()

    def _make_models(self) -> Models:
        timeout_s = self._settings.calls.timeout_s
        return Models(self._catalogue, self._repository, self._gate, timeout_s=timeout_s)

    def _memory(self) -> Memory:
        return memory_of(self._catalogue, self._lanes)

    def _handlers(self) -> Mapping[str, Handler]:
        calls, most_bytes = self._settings.calls, self._settings.http.max_body_bytes
        catalogue, gate, meter = self._catalogue, self._gate, self._observers.meter
        return {
            "predict": PredictHandler(catalogue, gate, meter, timeout_s=calls.timeout_s, most_bytes=most_bytes),
            "v2": OipHandler(self._models, meter, self._readiness.check, most_bytes=most_bytes),
            "features": FeaturesHandler(catalogue, self._lookups, gate, meter, most_bytes=most_bytes),
            "openapi.json": OpenapiHandler(catalogue, self._repository, gate),
            "health": HealthHandler(self._readiness),
            "admin": AdminHandler(self._keeper, catalogue, gate),
            **self._observers.handlers(self._states, gate),
        }

    def _load(self, predictor: str, path: Path) -> PreparedVersion:
        """A prepared version in memory, verified and warm. In a thread."""
        return PreparedVersion(load(path, self._plans[predictor]), self._lookups[predictor])

    # What the keeper says ---------------------------------------------------------------------------------------------

    def apply(self, routes: Routes, done: Callable[[Exception | None], None]) -> None:
        """Have these versions, and say so once they answer, or why they do not."""
        if routes.versions:
            self._served.add(routes.predictor)
        else:
            self._served.discard(routes.predictor)
        task = asyncio.ensure_future(self._apply(routes, done))
        self._applying.add(task)
        task.add_done_callback(self._applying.discard)

    async def _apply(self, routes: Routes, done: Callable[[Exception | None], None]) -> None:
        try:
            await self._catalogue.apply(routes)
        except Exception as error:  # whatever it is, the keeper has to know
            done(error)
        else:
            done(None)

    def configure(self, settings: Serve) -> None:
        """unisono.toml was read again. What is under way goes on by what it said before."""
        self._settings = settings
        self._lanes.bounds = _bounds(settings.calls)
        self._catalogue.shelf.budget_bytes = settings.memory.bytes // self._boot.workers
        self._models = self._make_models()
        self.service.replace(self._handlers())
        self._observers.reopen()
        if self._http is not None:
            self._http.limit(settings.http)
        if self._tls is not None and settings.http.certificate:
            renew(self._tls, *_files(Path(self._boot.root), settings.http))

    def replace_tokens(self, tokens: Sequence[Token] | None) -> None:
        """Other tokens are in force."""
        self._gate.replace(tokens)

    # Serving ----------------------------------------------------------------------------------------------------------

    def start_aside(self) -> None:
        """Look at what comes together from requests that somebody else takes. On the loop."""
        self._observers.start()

    async def start(self, listening: socket.socket) -> None:
        """Take requests."""
        self.start_aside()
        self._http = HttpServer(self.service, self._settings.http, tls=self._tls)
        self._observers.watch_connections(self._http)
        await self._http.start([listening])
        if self._settings.grpc.port is not None:
            self._grpc = self._start_grpc(self._settings.grpc.port)

    def _start_grpc(self, port: int) -> GrpcServer:
        # Whoever is without it has less memory.
        from unisono.drivers.serving.grpc.server import GrpcServer
        from unisono.drivers.serving.grpc.service import GrpcService

        service = GrpcService(self._models, self._observers.meter, self._readiness.check)
        server = GrpcServer(service, self._settings.grpc, asyncio.get_running_loop())
        server.start(self._boot.host, port, self._credentials())
        return server

    def _credentials(self) -> Any:
        """For gRPC, whose library reads certificates itself; None without TLS."""
        if self._tls is None:
            return None
        import grpc

        certificate, key = _files(Path(self._boot.root), self._settings.http)
        return grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])

    async def stop(self, linger_s: float, grace_s: float) -> None:
        """Be not ready; after a while take no more requests, and answer those that are under way."""
        self._readiness.is_stopping = True
        await asyncio.sleep(linger_s)
        await asyncio.gather(self._stop_http(grace_s), self._stop_grpc(grace_s))
        self._observers.close()

    async def _stop_http(self, grace_s: float) -> None:
        if self._http is not None:
            farewell_s = min(_FAREWELL_S, grace_s)
            await self._http.farewell(farewell_s)
            await self._http.drain(grace_s - farewell_s)

    async def _stop_grpc(self, grace_s: float) -> None:
        if self._grpc is not None:
            await self._grpc.drain(grace_s)

    # How it is --------------------------------------------------------------------------------------------------------

    def reasons(self) -> Mapping[str, str]:
        """Predictor -> why it cannot answer; "" if it can."""
        return self._readiness.reasons()

    def positions(self) -> Mapping[str, int]:
        """Predictor -> position of the log that its states are at."""
        return self._readiness.positions()

    def _reasons_of_versions(self) -> Mapping[str, str]:
        """Of the predictors that are to be served."""
        return {name: reason for name, reason in self._catalogue.reasons().items() if name in self._served}


def _bounds(calls: Calls) -> Bounds:
    return Bounds(calls.wait_s, calls.rows, calls.model_s)


def _files(root: Path, http: Http) -> tuple[Path, Path]:
    return root / http.certificate, root / http.key
