"""From a project to a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from unisono.drivers.bindings import check_bindings
from unisono.drivers.config import read_config
from unisono.drivers.cores import usable_cores
from unisono.drivers.online.plan import OnlinePlan, plan_of
from unisono.drivers.online.plan_json import plan_json
from unisono.drivers.registries import open_registry
from unisono.drivers.serving.grpc import check_installed
from unisono.drivers.serving.http.tls import tls_of
from unisono.drivers.serving.prepared import prepare, remove_others
from unisono.drivers.serving.security.token_file import token_file
from unisono.drivers.serving.security.watching import TokenWatch
from unisono.drivers.serving.settings import Model, Serve
from unisono.drivers.serving.versions.routes import Routes
from unisono.drivers.serving.workers.keeper import Keeper, Terms
from unisono.drivers.serving.workers.messages import Predictor
from unisono.drivers.serving.workers.reports import Event, Report, no_report
from unisono.drivers.serving.workers.watching import Shapes, Watcher
from unisono.models.engines import LoadsLibrary, find_engine
from unisono.models.names import REFERENCE_ENGINE
from unisono.spec.errors import StoreError

if TYPE_CHECKING:
    from unisono.drivers.project import Project


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is said when the server is started, over what unisono.toml says.

    host, port: where to listen; port 0 takes a free one.
    workers:    how many; 0: one for each core that may be used.
    insecure:   whether others than this machine may ask without a token.
    is_json:    whether workers log lines of JSON.

    None: as unisono.toml says.
    """

    host: str | None = None
    port: int | None = None
    workers: int | None = None
    insecure: bool = False
    is_json: bool = False

    def over(self, settings: Serve) -> Serve:
        """The settings with these wishes."""
        count = settings.workers.count if self.workers is None else self.workers
        return replace(
            settings,
            host=self.host or settings.host,
            port=settings.port if self.port is None else self.port,
            workers=replace(settings.workers, count=count),
            tokens=replace(settings.tokens, insecure=self.insecure or settings.tokens.insecure),
        )


def serve(project: Project, wishes: Wishes, *, announce: Callable[[str], None], report: Report = no_report) -> None:
    """Serve every predictor of a project that has a version, until the process is told to stop.

    announce: called with the address, once every worker answers there.
    report:   told what happens.

    Raises StoreError if the address is taken, nothing can be served, or workers do not start; InputError for wrong
    settings.
    """
    settings = wishes.over(project.config.serve)
    if settings.grpc.port is not None:
        check_installed()
    plans = {name: plan_of(project.ready(name)) for name in project.definitions.predictors}
    tls_of(settings.http, project.root)  # half a certificate is told before any worker starts
    watcher = watcher_of(project, plans, report)
    terms = Terms(
        root=project.root,
        log=project.store_path / "served",
        predictors=predictors_of(project, plans),
        settings=settings,
        workers=settings.workers.count or usable_cores(),
        is_json=wishes.is_json,
        reread=lambda: _reread(project, wishes),
        shape=shapes,
        tokens=TokenWatch(
            token_file(project.root, project.store_path, settings.tokens.file), settings.tokens, settings.host
        ),
    )
    _check_states(project, plans, report)
    _tidy(project)
    Keeper(terms, watcher, announce=announce, report=report).run()


def watcher_of(project: Project, plans: Mapping[str, OnlinePlan], report: Report) -> Watcher:
    """What asks a project's registry, and prepares versions in its store."""
    folder = _folder(project)
    wanted = {name: _engine(project.config.serve, name) for name in plans}
    return Watcher(
        lambda: open_registry(project.root, project.config),
        plans,
        lambda registry, version, plan: prepare(registry, version, plan, folder, engine=wanted[version.predictor]).path,
        report=report,
    )


def _engine(settings: Serve, predictor: str) -> str | None:
    """That is to run a predictor's graphs, if one is named. Raises InputError, ModelError if it cannot be had."""
    name = settings.models.get(predictor, Model()).engine
    if not name or name == REFERENCE_ENGINE:
        return name or None
    engine = find_engine(name)
    if isinstance(engine, LoadsLibrary):
        engine.load()
    return name


def _folder(project: Project) -> Path:
    """Of all prepared versions."""
    return project.store_path / "serving"


def _tidy(project: Project) -> None:
    """Remove what was prepared of versions that have no alias any more."""
    entries = project.registry.predictors()
    remove_others(_folder(project), {version for entry in entries for version in entry.aliases.values()})


def predictors_of(project: Project, plans: Mapping[str, OnlinePlan]) -> list[Predictor]:
    """What workers have to know of each predictor."""
    return [Predictor(plan_json(plan), str(project.state_path(name))) for name, plan in plans.items()]


def shapes(settings: Serve) -> Shapes:
    """Adds [serve.models.NAME] to the routes of a predictor. Aliases that no version has now say nothing."""

    def shape(routes: Routes) -> Routes:
        said = settings.models.get(routes.predictor, Model())
        return replace(routes, split=said.split, shadow=said.shadow, pinned=said.pinned)

    return shape


def _reread(project: Project, wishes: Wishes) -> Serve:
    """The settings as unisono.toml has them now. Raises InputError, StoreError for what cannot be used."""
    config = read_config(project.root)
    check_bindings(project.root, config, project.definitions)
    settings = wishes.over(config.serve)
    tls_of(settings.http, project.root)
    return settings


def _check_states(project: Project, plans: Mapping[str, OnlinePlan], report: Report) -> None:
    """Say which predictors have no state yet. Raises StoreError if that is so for all that have a version."""
    answering = project.answering
    missing = [name for name in answering if plans[name].views and not _has_state(project.state_path(name))]
    faults = [f"{name}: no state yet; run `unisono stream {name}`" for name in missing]
    if faults and len(faults) == len(answering):
        raise StoreError("\n".join(faults))
    for name, fault in zip(missing, faults, strict=True):
        report(Event("no_state", f"{fault}; until then it is answered 503", "warning", {"predictor": name}))


def _has_state(directory: Path) -> bool:
    return (directory / "data.mdb").is_file()
