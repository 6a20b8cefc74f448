"""The server inside of somebody's process: what the keeper does is done by a thread, and there is one worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from unisono.drivers.config import read_config
from unisono.drivers.online.plan import plan_of
from unisono.drivers.serving.asgi import Application, Receive, Scope, Send
from unisono.drivers.serving.assembly import Worker
from unisono.drivers.serving.refusals import RefusalError
from unisono.drivers.serving.security.token_file import token_file
from unisono.drivers.serving.start import predictors_of, shapes, watcher_of
from unisono.drivers.serving.versions.memory import resident_bytes
from unisono.drivers.serving.versions.routes import Routes
from unisono.drivers.serving.workers.asking import Told
from unisono.drivers.serving.workers.messages import Boot, What
from unisono.drivers.serving.workers.reports import Report, no_report
from unisono.drivers.serving.workers.watching import WatchThread
from unisono.spec.errors import StoreError

if TYPE_CHECKING:
    from unisono.drivers.project import Project


class Mounted:
    """An ASGI application that serves a project, to be mounted into another one, or to be run by uvicorn.

    project: what is served; the registry is asked every second which version answers.
    report:  told what happens. Not on the thread of the loop.

    Versions are prepared at once, and loaded with the first request, whose loop is the one that it serves on. Limits of
    connections, and TLS, are those of whoever runs it; there is no gRPC and no prediction log. Tokens are read with the
    first request, and when unisono.toml is read again.

    Raises StoreError if no predictor has a version.
    """

    def __init__(self, project: Project, *, report: Report = no_report) -> None:
        self._project = project
        self._settings = project.config.serve
        plans = {name: plan_of(project.ready(name)) for name in project.definitions.predictors}
        self._watcher = watcher_of(project, plans, report)
        self._watcher.shape = shapes(self._settings)
        self._routes = {routes.predictor: routes for routes in self._watcher.look()}
        if not self._routes:
            raise StoreError(
                f"{project.root}: no predictor has a version that can be served; register one: "
                "`unisono register PREDICTOR MODEL`"
            )
        self._shared = TemporaryDirectory(prefix="unisono-")
        self._predictors = predictors_of(project, plans)
        self._application: Application | None = None
        self._beginning = asyncio.Lock()
        self._thread = WatchThread(self._watcher, self._found)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection event, as the ASGI specification has it."""
        application = self._application or await self._begin()
        await application(scope, receive, send)

    async def _begin(self) -> Application:
        async with self._beginning:
            if self._application is None:
                self._application = await self._start()
            return self._application

    async def _start(self) -> Application:
        self._loop = asyncio.get_running_loop()
        self._worker = Worker(self._boot(), self)
        await self._apply(list(self._routes.values()))
        self._worker.start_aside()
        self._thread.start()
        return Application(self._worker.service, self._settings.http)

    def _boot(self) -> Boot:
        project = self._project
        file = token_file(project.root, project.store_path, self._settings.tokens.file)
        tokens = file.read()
        return Boot(
            slot=0,
            workers=1,
            host="",
            port=0,
            root=str(project.root),
            shared=self._shared.name,
            log="",
            is_json=False,
            settings=self._settings,
            tokens=None if tokens is None else list(tokens),
            predictors=self._predictors,
            routes=list(self._routes.values()),
        )

    # What the registry says -------------------------------------------------------------------------------------------

    def _found(self, found: Sequence[Routes]) -> None:
        """On the thread: go on once they are applied, so that whoever asked for them finds them so."""
        if self._loop.is_closed():  # whoever ran it has ended it
            self._thread.stop()
            return
        self._routes |= {routes.predictor: routes for routes in found}
        asyncio.run_coroutine_threadsafe(self._apply(found), self._loop).result()

    async def _apply(self, found: Sequence[Routes]) -> None:
        """Versions that cannot be had are told by readiness."""
        applied = [self._loop.create_future() for _ in found]
        for routes, future in zip(found, applied, strict=True):
            self._worker.apply(routes, partial(_settle, future))
        await asyncio.gather(*applied)

    # What callers ask -------------------------------------------------------------------------------------------------

    def ask(self, what: What, predictor: str, told: Told) -> None:
        """See `workers.asking.Asking`."""
        if what == "status":
            told(None, self._status())
        elif what == "reload":
            self._do(self._reload, told)
        else:
            watcher = self._watcher
            work = {"load": watcher.load, "unload": watcher.unload, "rollback": watcher.roll_back}[what]
            self._do(partial(work, predictor), told)

    def _do(self, work: Callable[[], None], told: Told) -> None:
        def done(error: Exception | None) -> None:
            refusal = None if error is None else RefusalError("not_done", str(error))
            self._loop.call_soon_threadsafe(told, refusal, b"")

        self._thread.do(work, done)

    def _reload(self) -> None:
        settings = read_config(self._project.root).serve
        self._settings = settings
        self._watcher.shape = shapes(settings)
        tokens = token_file(self._project.root, self._project.store_path, settings.tokens.file).read()
        self._loop.call_soon_threadsafe(self._worker.configure, settings)
        self._loop.call_soon_threadsafe(self._worker.replace_tokens, tokens)

    def _status(self) -> bytes:
        reasons, positions = self._worker.reasons(), self._worker.positions()
        worker = {"worker": 0, "resident_bytes": resident_bytes(), "reasons": reasons, "positions": positions}
        return msgspec.json.encode({"workers": [worker], "predictors": list(self._routes.values())})


def _settle(future: asyncio.Future[None], error: Exception | None) -> None:
    if not future.done():
        future.set_result(None)
