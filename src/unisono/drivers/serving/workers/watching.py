"""Asks the registry what is to be served, in a thread of its own: nothing waits for it but who asked it something."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty, Queue
from typing import Protocol

from msgspec.structs import replace

from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.serving.versions.routes import Routes
from unisono.drivers.serving.workers.reports import Event, Report
from unisono.spec.active import Version
from unisono.spec.errors import UnisonoError
from unisono.spec.wording import one_line
from unisono.store.registry import Registry
from unisono.store.registry.records import CHAMPION, PredictorEntry

LOOK_S = 1.0
"""How often the registry is asked."""
_AGAIN_LOOKS = 10  # a version that could not be prepared is tried again after so many


class Prepares(Protocol):
    """Makes a version ready to be served; see `prepared.prepare`."""

    def __call__(self, registry: Registry, version: Version, plan: OnlinePlan) -> Path:
        """The folder with all that a worker needs. Raises UnisonoError."""
        ...


Shapes = Callable[[Routes], Routes]
"""Adds to the routes of a predictor what unisono.toml says of it. Raises InputError for aliases that nobody has."""


class Watcher:
    """What the registry says, as routes.

    registry: opens it. It is asked again until it can be.
    plans:    of the predictors that may be served.
    prepare:  makes versions ready.
    shape:    adds what unisono.toml says.
    report:   told when the registry goes away and comes back, and what cannot be served.

    For one thread.
    """

    def __init__(
        self,
        registry: Callable[[], Registry],
        plans: Mapping[str, OnlinePlan],
        prepare: Prepares,
        *,
        shape: Shapes = lambda routes: routes,
        report: Report,
    ) -> None:
        self._open = registry
        self._registry: Registry | None = None
        self._plans = plans
        self._prepare = prepare
        self.shape = shape
        self._report = report
        self._routes: dict[str, Routes] = {}
        self._unloaded: set[str] = set()
        self._prepared: dict[tuple[str, str], Path] = {}
        self._failed: dict[tuple[str, str], tuple[int, UnisonoError]] = {}  # when to try again; why
        self._said: dict[str, str] = {}
        self._looks = 0

    @property
    def known(self) -> Registry:
        """The registry. Raises StoreError if it cannot be reached."""
        if self._registry is None:
            self._registry = self._open()
        return self._registry

    # Looking ----------------------------------------------------------------------------------------------------------

    def look(self) -> list[Routes]:
        """The routes that are others than at the last look, each with a new revision.

        A registry that is away leaves all as it is; so does a version that cannot be prepared its predictor.
        """
        self._looks += 1
        try:
            entries = self.known.predictors()
        except UnisonoError as error:
            self._say("", f"the registry is away ({one_line(error)}); what is served stays as it is")
            return []
        self._say("", "")
        found = [self._changed(entry) for entry in entries if entry.name in self._plans]
        return [routes for routes in found if routes is not None]

    def _changed(self, entry: PredictorEntry) -> Routes | None:
        try:
            wanted = self._wanted(entry)
        except UnisonoError as error:
            self._say(entry.name, f"{entry.name}: {one_line(error)}; what is served of it stays as it is")
            return None
        before = self._routes.get(entry.name)
        if wanted is None or (before and _same(before, wanted)):
            return None
        revised = replace(wanted, revision=before.revision + 1 if before else 1)
        self._routes[entry.name] = revised
        return revised

    def _wanted(self, entry: PredictorEntry) -> Routes | None:
        """What is to be served of a predictor now. Raises UnisonoError if that cannot be had."""
        champion = entry.champion
        if champion is None:
            return None
        if entry.name in self._unloaded:
            return Routes(entry.name, {}, {})
        versions = {champion: str(self._ready(entry.name, champion))}
        aliases = {CHAMPION: champion}
        fault = ""
        for alias, version in entry.aliases.items():
            try:
                versions.setdefault(version, str(self._ready(entry.name, version)))
                aliases[alias] = version
            except UnisonoError as error:
                fault = f"{entry.name}: its {alias} is not served: {one_line(error)}"
        routes = self.shape(Routes(entry.name, versions, aliases))
        self._say(entry.name, fault)
        return routes

    def _ready(self, predictor: str, identity: str) -> Path:
        key = (predictor, identity)
        if key in self._prepared:
            return self._prepared[key]
        again, error = self._failed.get(key, (0, None))
        if error is not None and self._looks < again:
            raise error.with_traceback(None)
        try:
            version = self.known.version(predictor, identity)
            self._prepared[key] = self._prepare(self.known, version, self._plans[predictor])
        except UnisonoError as fault:
            self._failed[key] = (self._looks + _AGAIN_LOOKS, fault)
            raise
        return self._prepared[key]

    def _say(self, about: str, message: str) -> None:
        """Report what is wrong, once, and once that it is right again."""
        before = self._said.get(about, "")
        if message == before:
            return
        self._said[about] = message
        if message:
            self._report(Event("not_current", message, "error", {"predictor": about}))
        else:
            what = f"{about}: it can be served as the registry says" if about else "the registry answers again"
            self._report(Event("current", what, fields={"predictor": about}))

    # Doing what a caller asks for -------------------------------------------------------------------------------------

    def load(self, predictor: str) -> None:
        """Serve a predictor again that was unloaded, from the next look on."""
        self._unloaded.discard(predictor)
        self._failed = {key: found for key, found in self._failed.items() if key[0] != predictor}

    def unload(self, predictor: str) -> None:
        """Serve a predictor no more, from the next look on."""
        self._unloaded.add(predictor)

    def roll_back(self, predictor: str) -> None:
        """Let the version answer that was the champion before. Raises StoreError if there was none."""
        self.known.roll_back(predictor, why="asked of the server")


def _same(before: Routes, wanted: Routes) -> bool:
    return replace(before, revision=0) == replace(wanted, revision=0)


Job = tuple[Callable[[], None], Callable[[Exception | None], None]]


class WatchThread:
    """Looks every second, and at once after each job that it is given.

    watcher: what looks.
    found:   called with changed routes, on the thread.

    It is a daemon: a registry that hangs keeps no process from ending.
    """

    def __init__(self, watcher: Watcher, found: Callable[[list[Routes]], None]) -> None:
        self._watcher = watcher
        self._found = found
        self._jobs: Queue[Job | None] = Queue()
        self._thread = threading.Thread(target=self._run, name="registry", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._jobs.put(None)

    def do(self, work: Callable[[], None], done: Callable[[Exception | None], None]) -> None:
        """Do something to the watcher, look at once, and say what came of it: on the thread, after `found`."""
        self._jobs.put((work, done))

    def _run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=LOOK_S)
            except Empty:
                self._look()
                continue
            if job is None:
                return
            work, done = job
            try:
                work()
                self._look()
            except Exception as error:  # whoever asked has to be told, whatever it is
                done(error)
            else:
                done(None)

    def _look(self) -> None:
        changed = self._watcher.look()
        if changed:
            self._found(changed)
