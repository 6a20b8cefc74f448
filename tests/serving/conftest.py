"""A server over a small state."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Queue
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import pytest

import unisono as un
from tests.drivers.logs import VIEWS, World, make_world
from tests.drivers.streams import Adder, ready, write_log
from tests.serving.one_version import OneVersion
from tests.serving.running import Server
from unisono.drivers.online.plan import plan_of
from unisono.drivers.online.predictor import OnlinePredictor
from unisono.drivers.online.reading import Lookup, StateReader
from unisono.drivers.serving.handlers.health import HealthHandler
from unisono.drivers.serving.handlers.predict import PredictHandler
from unisono.drivers.serving.lane import Lane
from unisono.drivers.serving.lanes import Lanes
from unisono.drivers.serving.operations.meter import NoMeter
from unisono.drivers.serving.readiness import Readiness
from unisono.drivers.serving.security.gate import Gate
from unisono.drivers.serving.service import Service
from unisono.drivers.serving.settings import Http
from unisono.drivers.serving.versions.catalogue import Catalogue
from unisono.drivers.serving.versions.loaded import LoadedVersion
from unisono.drivers.stream import StreamRun
from unisono.store.states import StateStore

LIMITS = Http(max_body_bytes=10_000, body_timeout_s=0.3)


@pytest.fixture(scope="session")
def world() -> World:
    return make_world(41)


@pytest.fixture(scope="session")
def online(tmp_path_factory: pytest.TempPathFactory, world: World) -> OnlinePredictor:
    """The predictor `risk` over all of the world's log; its clock stands."""
    directory = tmp_path_factory.mktemp("online")
    log = write_log(directory / "log", world)
    with StreamRun(ready(), log, None, directory, mode="temporary") as run:
        run.advance()
    store = StateStore(directory / "state", ready().identities)
    return OnlinePredictor(plan_of(ready()), store, Adder(), clock=lambda: 0)


def service(online: OnlinePredictor) -> Service:
    """One predictor, in this process."""
    lookup = Lookup(StateReader(online.store, online.plan), online.plan, clock=lambda: 0)
    served = OneVersion(online.plan, Lane("risk", LoadedVersion(online.scorer, lookup)), Lanes())
    catalogue = Catalogue({"risk": served})
    predict = PredictHandler(catalogue, Gate(None), NoMeter(), timeout_s=10.0, most_bytes=1 << 20)
    health = HealthHandler(Readiness(lambda: {"risk": ""}, {"risk": online.store}))
    return Service({"predict": predict, "health": health})


@dataclass(frozen=True)
class Client:
    """Talks to a server."""

    address: str

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=10)

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and decoded answer."""
        connection = self.connect()
        connection.request(method, path, body)
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        return response.status, answer

    def ask(self, body: Any) -> tuple[int, Any]:
        return self.send("POST", "/predict/risk", body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.fixture(scope="session")
def client(online: OnlinePredictor) -> Iterator[Client]:
    addresses: Queue[str] = Queue()
    server = Server(service(online), "127.0.0.1", 0, addresses.put, limits=LIMITS)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Client(addresses.get(timeout=20))
    finally:
        server.stop()
        thread.join()


@pytest.fixture
def request_row(online: OnlinePredictor) -> dict[str, Any]:
    """A request that is answered: asked at the log's time."""
    time = pl.Series([online.store.last.time]).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")[0]
    return {"user": "u1", "shop": 1, "note": "hello", "asked_at": time}


def frame_of(world: World, row: dict[str, Any]) -> pl.DataFrame:
    """What the point-in-time frame says of a request."""
    asked = pl.DataFrame([row]).with_columns(pl.col("asked_at").str.to_datetime(time_unit="us", time_zone="UTC"))
    return un.point_in_time(VIEWS, asked, world.events, time="asked_at")
