"""All connections of a worker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from unisono.drivers.serving.service import Service
from unisono.drivers.serving.settings import Http

if TYPE_CHECKING:
    from unisono.drivers.serving.http.connection import Connection

SWEEP_S = 0.25
"""How often connections are looked through for clients that take too long."""

MOST_LINGERING = 256
"""Connections that were too many and are being told so; of yet more, not all will read why they were closed."""


@dataclass(slots=True)
class Counts:
    """What has happened, since the worker started.

    accepted:  connections; turned_away: more, which were too many.
    requests:  that were read whole.
    refused:   that were none, or did not come in time.
    cancelled: whose clients went away before they were answered.
    cut:       connections that were not done in time when the server stopped.
    """

    accepted: int = 0
    turned_away: int = 0
    requests: int = 0
    refused: int = 0
    cancelled: int = 0
    cut: int = 0


class Connections:
    """All connections of a worker.

    service: what is served.
    limits:  of each connection, and of how many there are.
    """

    def __init__(self, service: Service, limits: Http) -> None:
        self.service = service
        self.limits = limits
        self.counts = Counts()
        self.is_leaving = False  # the next answer on each connection is its last
        self.now_s = perf_counter()  # as of the last sweep
        self._open: set[Connection] = set()
        self._turned_away: set[Connection] = set()
        self._none_left = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = float("inf")  # of the next sweep
        self._is_put_off = False

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> bool:
        """Whether there is room for one more; it is looked after in any case."""
        if len(self._open) < self.limits.max_connections:
            self._open.add(connection)
            self.counts.accepted += 1
            return True
        self._turned_away.add(connection)
        self.counts.turned_away += 1
        return False

    @property
    def may_linger(self) -> bool:
        """Whether one that was too many may stay until it has read so."""
        return len(self._turned_away) <= MOST_LINGERING

    def remove(self, connection: Connection) -> None:
        """A connection is closed."""
        self._open.discard(connection)
        self._turned_away.discard(connection)
        if self.is_leaving and not self._open:
            self._none_left.set()

    def watch(self) -> None:
        """Look through them from now on."""
        self._due_s = perf_counter() + SWEEP_S
        self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        self.now_s = perf_counter()
        if not self._puts_off():
            for connection in self._all():
                connection.judge(self.now_s)
        self.watch()

    def _puts_off(self) -> bool:
        """Whether nobody is judged this time: the loop stood still, and what came meanwhile is still to be read.

        Not twice in a row: clients are judged on a worker that is late at every turn, too.
        """
        is_late = self.now_s - self._due_s > SWEEP_S
        self._is_put_off = is_late and not self._is_put_off
        return self._is_put_off

    def drain(self) -> None:
        """Close each connection once what was asked on it is answered."""
        self.is_leaving = True
        for connection in tuple(self._open):
            connection.drain()

    async def none_left(self) -> None:
        """Until all are closed, once they are told to."""
        if self._open:
            self._none_left.clear()
            await self._none_left.wait()

    def cut(self) -> None:
        """Close what is left, and look no more."""
        self.counts.cut += len(self._open)
        for connection in self._all():
            connection.cut()
        if self._timer is not None:
            self._timer.cancel()

    def _all(self) -> tuple[Connection, ...]:
        return (*self._open, *self._turned_away)
