"""Puts the server of a project together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from unisono.drivers.online.plan import plan_of
from unisono.drivers.online.reading import Lookup, StateReader
from unisono.drivers.serving.handlers.health import HealthHandler
from unisono.drivers.serving.handlers.predict import PredictHandler
from unisono.drivers.serving.lane import Lane
from unisono.drivers.serving.lanes import Bounds, Lanes
from unisono.drivers.serving.listening import Server
from unisono.drivers.serving.operations.meter import NoMeter
from unisono.drivers.serving.readiness import Readiness
from unisono.drivers.serving.security.gate import OpenGate
from unisono.drivers.serving.service import Service
from unisono.drivers.serving.versions.catalogue import Catalogue, OneVersion, Served
from unisono.drivers.serving.versions.loaded import LoadedVersion
from unisono.spec.errors import StoreError
from unisono.store.states import StateStore

if TYPE_CHECKING:
    from unisono.drivers.project import Project


def serve(project: Project, *, host: str | None, port: int | None, announce: Callable[[str], None]) -> None:
    """Serve every predictor of a project that has a version, until the process is told to stop."""
    names = project.answering
    if not names:
        raise StoreError(
            f"{project.store_path}: no predictor has a version; register one: `unisono register PREDICTOR MODEL`"
        )
    settings = project.config.serve
    stores = {name: project.states(name) for name in names}
    lanes = Lanes(Bounds(settings.calls.wait_s, settings.calls.rows, settings.calls.model_s))
    catalogue = Catalogue({name: _served(project, name, store, lanes) for name, store in stores.items()})
    service = service_of(catalogue, stores, timeout_s=settings.calls.timeout_s, most_bytes=settings.http.max_body_bytes)
    where = (host or settings.host, settings.port if port is None else port)
    Server(service, *where, announce, limits=settings.http).serve_forever()


def _served(project: Project, name: str, store: StateStore, lanes: Lanes) -> Served:
    plan = plan_of(project.ready(name))
    lookup = Lookup(StateReader(store, plan), plan)
    return OneVersion(plan, Lane(name, LoadedVersion(project.scorer(name).of_rows(plan.columns), lookup)), lanes)


def service_of(
    catalogue: Catalogue, stores: Mapping[str, StateStore], *, timeout_s: float, most_bytes: int = 1 << 20
) -> Service:
    """All handlers over what is served."""
    return Service(
        {
            "predict": PredictHandler(catalogue, OpenGate(), NoMeter(), timeout_s=timeout_s, most_bytes=most_bytes),
            "health": HealthHandler(Readiness(lambda: dict.fromkeys(catalogue.names, ""), stores)),
        }
    )
