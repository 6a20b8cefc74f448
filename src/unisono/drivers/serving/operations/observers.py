"""All that looks on in one worker, put together from the settings: what is off is not there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.serving.handlers.metrics import MetricsHandler
from unisono.drivers.serving.lanes import Watcher
from unisono.drivers.serving.operations.access import AccessLog, Sink
from unisono.drivers.serving.operations.channel import Channel
from unisono.drivers.serving.operations.meter import Meter, Meters, NoMeter
from unisono.drivers.serving.operations.metrics import (
    BatchCounter,
    ConnectionCounter,
    Memory,
    MemoryCounter,
    RequestCounter,
)
from unisono.drivers.serving.operations.prediction_log import PredictionLog
from unisono.drivers.serving.operations.tallies import open_tally
from unisono.drivers.serving.readiness import Positioned
from unisono.drivers.serving.security.gate import Gate
from unisono.drivers.serving.service import Handler
from unisono.drivers.serving.settings import Serve
from unisono.spec.errors import StoreError

if TYPE_CHECKING:
    from unisono.drivers.serving.http.server import HttpServer

_LOGGER = logging.getLogger(__name__)

Act = Callable[[], None]

TICK_S = 0.25
_LOOK_TICKS = 4  # how the memory is, is looked at once a second


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker is.

    slot:    its number, which it has from whom it replaces.
    root:    folder of the project.
    tallies: folder of what is counted, the same for all workers of a server.
    log:     address of the prediction log's writer; "": nothing is written down.
    """

    slot: int
    root: Path
    tallies: Path
    log: str


class Observers:
    """What looks on in a worker. For the loop's thread.

    settings: what is wanted.
    place:    where the worker is.
    plans:    of all predictors that may be served.
    memory:   asked once a second what is loaded, and what waits.

    `watchers` are told of each batch.

    Raises StoreError if the access log cannot be opened, or OpenTelemetry is wanted and not installed.
    """

    def __init__(
        self, settings: Serve, place: Place, plans: Sequence[OnlinePlan], memory: Callable[[], Memory]
    ) -> None:
        self._settings = settings
        self._place = place
        self._names = [plan.name for plan in plans]
        self._tally = open_tally(place.tallies, str(place.slot), self._names)
        self._tally.count("workers", 1)
        self._meters: list[Meter] = []
        self.watchers: list[Watcher] = []
        self._ticks: list[Act] = []
        self._looks: list[Act] = []
        self._ends: list[Act] = []
        self._reopens: list[Act] = []
        self._timer: asyncio.TimerHandle | None = None
        self._ticked = 0
        if settings.metrics.enabled:
            self._count(memory)
        if place.log:
            self._log_predictions(plans)
        if settings.access.path:
            self._log_access()
        if settings.tracing.endpoint:
            self._trace()

    def _count(self, memory: Callable[[], Memory]) -> None:
        requests, batches = RequestCounter(self._tally), BatchCounter(self._tally)
        self._meters.append(requests)
        self.watchers.append(batches)
        self._ticks += [requests.tick, batches.tick]
        self._looks.append(MemoryCounter(self._tally, memory).tick)

    def _log_predictions(self, plans: Sequence[OnlinePlan]) -> None:
        channel = Channel(self._place.log, self._settings.log.buffer_bytes, self._tally.count)
        log = PredictionLog(plans, channel)
        self.watchers.append(log)
        self._ticks.append(log.tick)
        self._ends.append(log.close)

    def _log_access(self) -> None:
        settings = self._settings.access
        path = None if settings.path == "stderr" else self._place.root / settings.path
        log = AccessLog(Sink(path), self._names, most=settings.lines, count=self._tally.count)
        self._meters.append(log)
        self._ticks.append(log.tick)
        self._ends.append(log.close)
        self._reopens.append(log.reopen)

    def _trace(self) -> None:
        from unisono.drivers.serving.operations.tracing import tracer_of

        tracer = tracer_of(self._settings.tracing, self._names)
        self._meters.append(tracer)
        self._ends.append(tracer.close)

    @property
    def meter(self) -> Meter:
        """Told of each request."""
        if len(self._meters) == 1:
            return self._meters[0]
        return Meters(self._meters) if self._meters else NoMeter()

    def handlers(self, states: Mapping[str, Positioned], gate: Gate) -> Mapping[str, Handler]:
        """`GET /metrics`, if anything is counted.

        states: of all predictors.
        """
        if not self._settings.metrics.enabled:
            return {}
        from unisono.drivers.serving.operations.exposition import Exposition

        return {"metrics": MetricsHandler(Exposition(self._place.tallies, states).render, gate)}

    def watch_connections(self, server: HttpServer) -> None:
        """Look at a server's connections, too."""
        if self._settings.metrics.enabled:
            self._looks.append(ConnectionCounter(self._tally, server).tick)

    # While it serves --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Look a few times a second at what has come together. On the loop."""
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._turn)

    def _turn(self) -> None:
        self.start()
        self._ticked += 1
        self.tick(looks=self._ticked % _LOOK_TICKS == 0)

    def tick(self, *, looks: bool = True) -> None:
        """Count, write and send what has come together.

        looks: whether to look at the memory, too.
        """
        for act in (*self._ticks, *(self._looks if looks else ())):
            act()

    def reopen(self) -> None:
        """Files may have been moved: go on in new ones, or, if there cannot be any, in the old ones."""
        for act in self._reopens:
            try:
                act()
            except StoreError as error:
                _LOGGER.error("%s", error)

    def close(self) -> None:
        """Write and send the rest. To be called once every request has its answer."""
        if self._timer is not None:
            self._timer.cancel()
        self.tick()
        for act in self._ends:
            act()
