"""The process of a worker: `python -m unisono.drivers.serving.workers.worker NUMBER`.

NUMBER is the file descriptor of its end of the channel. It does what the keeper says, and stops in order when it is
told so, by SIGTERM too, or when the keeper is gone: no worker holds the port that no keeper knows.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import uvloop

from unisono.drivers.serving.http.sockets import listen
from unisono.drivers.serving.security.tokens import Token
from unisono.drivers.serving.settings import Serve
from unisono.drivers.serving.versions.memory import resident_bytes, settle
from unisono.drivers.serving.versions.routes import Routes
from unisono.drivers.serving.workers.asking import Asking
from unisono.drivers.serving.workers.channel import Channel
from unisono.drivers.serving.workers.logs import write_logs
from unisono.drivers.serving.workers.messages import (
    Applied,
    Boot,
    Configure,
    Done,
    Failed,
    FromKeeper,
    Listening,
    Ping,
    Pong,
    Stop,
    Tokens,
)
from unisono.spec.errors import UnisonoError

_LOGGER = logging.getLogger(__name__)


class Serves(Protocol):
    """What answers requests; see `assembly.Worker`. For the thread of the loop."""

    def apply(self, routes: Routes, done: Callable[[Exception | None], None]) -> None:
        """Have these versions, and say so once they answer, or why they do not."""
        ...

    def configure(self, settings: Serve) -> None:
        """unisono.toml was read again."""
        ...

    def replace_tokens(self, tokens: Sequence[Token] | None) -> None:
        """Other tokens are in force; None: nobody needs one."""
        ...

    async def start(self, listening: socket.socket) -> None:
        """Take requests."""
        ...

    async def stop(self, linger_s: float, grace_s: float) -> None:
        """Take no more, and answer those that are under way: see `messages.Stop`."""
        ...

    def reasons(self) -> Mapping[str, str]:
        """Predictor -> why it cannot answer; "" if it can."""
        ...

    def positions(self) -> Mapping[str, int]:
        """Predictor -> position of the log that its states are at."""
        ...


Makes = Callable[[Boot, Asking], Serves]


class Process:
    """What the keeper says is done here.

    end:  of the channel.
    make: makes what answers.
    """

    def __init__(self, end: socket.socket, make: Makes) -> None:
        self._end = end
        self._make = make
        self._channel: Channel[FromKeeper] = Channel(FromKeeper, self._heard, self._left_alone)
        self._asking = Asking(self._channel.send)
        self._worker: Serves | None = None
        self._boot: Boot | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()
        self._stop: asyncio.Task[None] | None = None

    async def work(self) -> None:
        """Until it is told to stop."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._left_alone)
        await self._channel.open(self._end)
        await self._stopped.wait()

    def _heard(self, message: FromKeeper) -> None:
        if isinstance(message, Ping):
            self._answer_ping(message)
        elif isinstance(message, Routes):
            self._apply(message)
        elif isinstance(message, Done):
            self._asking.answered(message)
        elif isinstance(message, Configure):
            self._configure(message)
        elif isinstance(message, Tokens):
            self._replace_tokens(message)
        elif isinstance(message, Stop):
            self._begin_stop(message)
        else:
            self._begin(message)

    # Starting ---------------------------------------------------------------------------------------------------------

    def _begin(self, boot: Boot) -> None:
        """All at once: what the keeper says next may have come together with this, and has to come after it."""
        self._boot = boot
        try:
            write_logs(boot)
            self._worker = self._make(boot, self._asking)
        except Exception as error:
            self._fail(error)
            return
        applied = [self._apply(routes) for routes in boot.routes]
        self._starting = asyncio.ensure_future(self._start(self._worker, boot, applied))

    async def _start(self, worker: Serves, boot: Boot, applied: Sequence[asyncio.Future[None]]) -> None:
        """Listen once all first routes are applied; those that cannot be had cost no other."""
        try:
            await asyncio.gather(*applied)
            settle()
            await worker.start(listen(boot.host, boot.port, is_shared=True))
        except Exception as error:
            self._fail(error)
            return
        self._channel.send(Listening())

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, UnisonoError | OSError):
            _LOGGER.error("it cannot start", exc_info=error)
        self._channel.send(Failed(str(error) or type(error).__name__))
        self._channel.close()
        self._stopped.set()

    # Doing what it is told --------------------------------------------------------------------------------------------

    def _apply(self, routes: Routes) -> asyncio.Future[None]:
        """Returns what is done once they are applied, or cannot be; the keeper is told then."""
        applied: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(error: Exception | None) -> None:
            self._channel.send(Applied(routes.predictor, routes.revision, "" if error is None else str(error)))
            applied.set_result(None)

        if self._worker is not None:
            self._worker.apply(routes, done)
        return applied

    def _configure(self, message: Configure) -> None:
        if self._worker is None:
            return
        try:
            self._worker.configure(message.settings)
        except UnisonoError as error:  # a file that was there a moment ago, when the keeper looked
            _LOGGER.error("of unisono.toml not all is taken over: %s", error)

    def _replace_tokens(self, message: Tokens) -> None:
        if self._worker is not None:
            self._worker.replace_tokens(message.tokens)

    def _answer_ping(self, ping: Ping) -> None:
        if self._worker is None:
            return
        reasons, positions = dict(self._worker.reasons()), dict(self._worker.positions())
        self._channel.send(Pong(ping.number, reasons, positions, resident_bytes()))

    # Stopping ---------------------------------------------------------------------------------------------------------

    def _left_alone(self) -> None:
        """The keeper is gone, or somebody wants this worker to stop."""
        self._asking.give_up()
        grace_s = self._boot.settings.workers.grace_s if self._boot else 0.0
        self._begin_stop(Stop(0.0, grace_s))

    def _begin_stop(self, stop: Stop) -> None:
        if self._stop is None:
            self._stop = asyncio.ensure_future(self._stop_in_order(stop))

    async def _stop_in_order(self, stop: Stop) -> None:
        if self._starting is not None and not self._starting.done():
            self._starting.cancel()
        elif self._worker is not None:
            await self._worker.stop(stop.linger_s, stop.grace_s)
        self._channel.close()
        self._stopped.set()


def work(make: Makes) -> None:
    """Work until told to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the keeper
    _allow_all_files()
    end = socket.socket(fileno=int(sys.argv[1]))
    uvloop.run(Process(end, make).work())


def _allow_all_files() -> None:
    """As many connections and states as the system lets this process have; often 1024, unless it asks for more."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    """Work with all that there is."""
    from unisono.drivers.serving.assembly import Worker

    work(Worker)


if __name__ == "__main__":
    main()
