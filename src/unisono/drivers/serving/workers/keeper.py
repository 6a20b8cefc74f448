"""The keeper: the process that was started. It answers no request; it sees to it that there are workers that do."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import msgspec
from msgspec.structs import replace

from unisono.drivers.serving.http.sockets import address_of
from unisono.drivers.serving.operations.writer_process import WriterProcess
from unisono.drivers.serving.security.tokens import Token
from unisono.drivers.serving.security.watching import TokenWatch
from unisono.drivers.serving.settings import Serve
from unisono.drivers.serving.versions.routes import Routes
from unisono.drivers.serving.workers import slots
from unisono.drivers.serving.workers.address import reserve
from unisono.drivers.serving.workers.messages import Ask, Boot, Configure, FromKeeper, Predictor, Stop, Tokens
from unisono.drivers.serving.workers.reloading import taken_over
from unisono.drivers.serving.workers.reports import Event, Report
from unisono.drivers.serving.workers.slots import House, Slot
from unisono.drivers.serving.workers.watching import Shapes, Watcher, WatchThread
from unisono.spec.errors import StoreError, UnisonoError
from unisono.spec.wording import listing, one_line

_TRIES = 3  # to start a worker, before the server is said not to start
_LOOK_S = 1.0
_APPLY_S = 60.0  # until all workers have done what was asked for


@dataclass(frozen=True, slots=True)
class Terms:
    """What a keeper is to keep.

    root:       folder of the project.
    log:        folder of the prediction log.
    predictors: that may be served.
    settings:   [serve], with what the command line says put over it.
    workers:    how many.
    is_json:    whether workers log lines of JSON.
    reread:     reads the settings again. Raises UnisonoError if they are wrong.
    shape:      adds to routes what settings say of a predictor's versions.
    tokens:     watches those who may ask; None: anybody may.
    command:    starts a worker.
    """

    root: Path
    log: Path
    predictors: Sequence[Predictor]
    settings: Serve
    workers: int
    is_json: bool
    reread: Callable[[], Serve]
    shape: Callable[[Serve], Shapes]
    tokens: TokenWatch | None = None
    command: Sequence[str] = slots.COMMAND


class Keeper:
    """Starts workers, tells them what to serve, replaces those that end, and stops them.

    terms:    what to keep.
    watcher:  says what is to be served.
    announce: called with the address, once every worker answers there.
    report:   told what happens.
    """

    def __init__(self, terms: Terms, watcher: Watcher, *, announce: Callable[[str], None], report: Report) -> None:
        self._terms = terms
        self._settings = terms.settings
        self._watcher = watcher
        self._announce = announce
        self._report = report
        self._routes: dict[str, Routes] = {}
        self._settling: set[asyncio.Future[None]] = set()
        self._is_stopping = self._has_ended = False

    def run(self) -> None:
        """Serve until SIGINT, SIGTERM or `stop`.

        Raises StoreError if the address is taken, no predictor has a version, or workers do not start.
        """
        settings = self._settings
        with reserve(settings.host, settings.port) as self._address, self._reserve_grpc():
            self._watcher.shape = self._terms.shape(settings)
            self._take(self._watcher.look())
            if not self._routes:
                raise StoreError(
                    f"{self._terms.root}: no predictor has a version that can be served; register one: "
                    "`unisono register PREDICTOR MODEL`"
                )
            with TemporaryDirectory(prefix="unisono-") as self._shared, self._written_down():
                asyncio.run(self._serve())
        self._report(Event("stopped", "stopped"))

    @contextmanager
    def _reserve_grpc(self) -> Iterator[None]:
        """The port of gRPC, if that is wanted, which all workers share, too."""
        grpc = self._settings.grpc
        if grpc.port is None:
            yield
            return
        with reserve(self._settings.host, grpc.port) as address:
            port = address.getsockname()[1]
            self._settings = replace(self._settings, grpc=replace(grpc, port=port))
            yield

    @contextmanager
    def _written_down(self) -> Iterator[None]:
        """The writer of the prediction log outlives the workers, whose last rows it takes."""
        settings = self._settings
        self._writer = WriterProcess(self._terms.log, settings.log) if settings.log.predictions else None
        try:
            yield
        finally:
            if self._writer is not None:
                self._writer.stop(settings.workers.grace_s)

    def _tokens(self) -> list[Token] | None:
        tokens = self._terms.tokens
        return None if tokens is None or tokens.tokens is None else list(tokens.tokens)

    # While it runs ----------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        house = House(
            boot=self._boot,
            asked=self._asked,
            changed=self._news_came,
            report=self._report,
            silence_s=self._settings.workers.silence_s,
            command=self._terms.command,
        )
        self._slots = [Slot(number, house) for number in range(self._terms.workers)]
        kept = [asyncio.ensure_future(slot.keep()) for slot in self._slots]
        for one in kept:
            one.add_done_callback(lambda _: self._ended())
        self._watching = WatchThread(self._watcher, lambda found: self._call(self._take, found))
        self._handle_signals()
        looking = asyncio.ensure_future(self._look_after())
        try:
            await self._until(lambda: self._has_ended or all(slot.is_listening for slot in self._slots), started=True)
            if not self._has_ended:
                self._tell_grpc()
                self._announce(address_of(self._address, is_encrypted=bool(self._settings.http.certificate)))
                self._watching.start()
            await self._until(lambda: self._has_ended)
        finally:
            looking.cancel()
            self._stop_workers()
            self._watching.stop()
            await asyncio.gather(*kept)

    def _ended(self) -> None:
        """The server is to stop: it was told so, or it cannot keep its workers, which is a fault of its own."""
        self._has_ended = True
        self._news.set()

    def _tell_grpc(self) -> None:
        port = self._settings.grpc.port
        if port is not None:
            message = f"gRPC at {self._settings.host}:{port}"
            self._report(Event("grpc_listens", message, fields={"host": self._settings.host, "port": port}))

    async def _look_after(self) -> None:
        """What is to be looked at once a second."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._writer is not None and self._writer.ensure():
                self._report(Event("writer_ended", "the writer of the prediction log ended; another runs now", "error"))
            if self._terms.tokens is not None and self._terms.tokens.look():
                self._tell_all(Tokens(self._tokens()))
                self._report(Event("tokens", "other tokens are in force"))

    def _news_came(self) -> None:
        self._news.set()

    async def _until(self, condition: Callable[[], bool], *, started: bool = False, seconds: float = 1e9) -> bool:
        """Wait until what workers say of themselves fulfils a condition; returns whether it does in time."""
        deadline_s = monotonic() + seconds
        while not condition():
            if started:
                self._check_start()
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), max(0.0, deadline_s - monotonic()))
            except TimeoutError:
                return condition()
        return True

    def _check_start(self) -> None:
        for slot in self._slots:
            if slot.restarts >= _TRIES and not slot.is_listening:
                why = slot.failure or "what it wrote on stderr says why"
                raise StoreError(f"worker {slot.number} did not start in {slot.restarts} tries: {why}")

    def _boot(self, number: int) -> Boot:
        host, port = self._address.getsockname()[:2]
        terms = self._terms
        return Boot(
            slot=number,
            workers=terms.workers,
            host=host,
            port=port,
            root=str(terms.root),
            shared=self._shared,
            log=self._writer.address if self._writer else "",
            is_json=terms.is_json,
            settings=self._settings,
            tokens=self._tokens(),
            predictors=list(terms.predictors),
            routes=list(self._routes.values()),
        )

    def _take(self, found: Sequence[Routes]) -> None:
        for routes in found:
            self._routes[routes.predictor] = routes
            self._tell_all(routes)
            champion = routes.aliases.get("champion", "")
            message = f"{routes.predictor}: " + (f"champion {champion}" if champion else "not served any more")
            fields = {"predictor": routes.predictor, "revision": routes.revision, "aliases": routes.aliases}
            self._report(Event("routes", message, fields=fields))

    def _tell_all(self, message: FromKeeper) -> None:
        for slot in self._running:
            slot.send(message)

    @property
    def _running(self) -> Sequence[Slot]:
        return getattr(self, "_slots", ())

    def _call(self, work: Callable[..., None], *arguments: object) -> None:
        """Do something on the thread of the loop, from any thread; nothing once the loop is closed."""
        try:
            self._loop.call_soon_threadsafe(work, *arguments)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    # What callers of workers want -------------------------------------------------------------------------------------

    def _asked(self, slot: Slot, ask: Ask) -> None:
        if ask.what == "status":
            slot.answer(ask.number, answer=self.status())
        elif ask.what == "reload":
            self._reload(lambda error: slot.answer(ask.number, error))
        else:
            change = {"load": self._watcher.load, "unload": self._watcher.unload, "rollback": self._watcher.roll_back}
            work = change[ask.what]
            self._change(lambda: work(ask.predictor), lambda error: slot.answer(ask.number, error))

    def _change(self, work: Callable[[], None], done: Callable[[str], None]) -> None:
        """Change what the watcher knows; done, with an error or "", once every worker does so."""

        def changed(error: Exception | None) -> None:
            self._call(settle, "" if error is None else one_line(error))

        def settle(error: str) -> None:
            task = asyncio.ensure_future(self._settle(error, done))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)

        self._watching.do(work, changed)

    async def _settle(self, error: str, done: Callable[[str], None]) -> None:
        if not error and not await self._until(self._is_settled, seconds=_APPLY_S):
            error = f"not all workers have done so within {_APPLY_S:g} s; ask for /admin/status"
        done(error)

    def _is_settled(self) -> bool:
        """Whether every worker that listens has said what became of the last routes."""
        return all(
            name in slot.applied and slot.applied[name].revision >= routes.revision
            for slot in self._slots
            if slot.is_listening
            for name, routes in self._routes.items()
        )

    def status(self) -> bytes:
        """What there is, as JSON: workers, routes."""
        workers = [
            {
                "worker": slot.number,
                "pid": slot.pid,
                "listens": slot.is_listening,
                "restarts": slot.restarts,
                "resident_bytes": slot.pong.resident_bytes if slot.pong else 0,
                "reasons": slot.pong.reasons if slot.pong else {},
                "positions": slot.pong.positions if slot.pong else {},
            }
            for slot in self._slots
        ]
        return msgspec.json.encode({"workers": workers, "predictors": list(self._routes.values())})

    def _reload(self, done: Callable[[str], None]) -> None:
        """Read unisono.toml again; what is wrong in it leaves all as it is."""
        try:
            read = self._terms.reread()
        except UnisonoError as error:
            message = f"unisono.toml is not taken over, what was read before stays: {one_line(error)}"
            self._report(Event("not_reloaded", message, "error"))
            done(one_line(error))
            return
        grpc = self._settings.grpc  # with the port that was found
        settings, waiting = taken_over(replace(self._settings, grpc=self._terms.settings.grpc), read)
        self._settings = replace(settings, grpc=grpc)
        self._tell_all(Configure(self._settings))
        if waiting:
            message = f"of [serve] in unisono.toml, {listing(waiting)} will be taken over by the next start only"
            self._report(Event("needs_restart", message, "warning"))
        self._change(self._reshape, lambda error: self._reloaded(error, done))

    def _reshape(self) -> None:
        self._watcher.shape = self._terms.shape(self._settings)

    def _reloaded(self, error: str, done: Callable[[str], None]) -> None:
        if not error:
            self._report(Event("reloaded", "unisono.toml was read again"))
        done(error)

    # Stopping ---------------------------------------------------------------------------------------------------------

    def _handle_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._asked_to_stop, number)
        self._loop.add_signal_handler(signal.SIGHUP, self._reload, lambda error: None)

    def _asked_to_stop(self, number: signal.Signals) -> None:
        is_meant, self._is_stopping = self._is_stopping, True  # the second time
        self._ended()
        if is_meant:
            for slot in self._slots:
                slot.kill(signal.SIGKILL)
        else:
            self._report(Event("stopping", "stopping, once the requests under way are answered"))

    def stop(self) -> None:
        """Stop in order, from another thread."""
        self._call(self._asked_to_stop, signal.SIGTERM)

    def _stop_workers(self) -> None:
        workers = self._settings.workers
        for slot in self._slots:
            slot.stop(Stop(workers.linger_s, workers.grace_s))
