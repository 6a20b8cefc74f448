"""A server of the benchmark `http_layer`: one service, carried by our own protocol or by uvicorn.

`python -m benchmarks.http_carrier CARRIER PORT [PROJECT]`; with a project, it predicts with its predictor `wide`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvicorn
import uvloop

from benchmarks.http_layer import OWN
from benchmarks.serving.workload import WIDE
from unisono.drivers.online.plan import OnlinePlan, plan_of
from unisono.drivers.online.reading import Lookup, StateReader
from unisono.drivers.online.requests import RequestDecoder
from unisono.drivers.project import load
from unisono.drivers.serving.asgi import Application
from unisono.drivers.serving.calls import Call
from unisono.drivers.serving.exchange import Reply, Request, Response
from unisono.drivers.serving.handlers.predict import PredictHandler
from unisono.drivers.serving.http.server import HttpServer
from unisono.drivers.serving.http.sockets import listen
from unisono.drivers.serving.lane import Lane
from unisono.drivers.serving.lanes import Lanes
from unisono.drivers.serving.operations.meter import NoMeter
from unisono.drivers.serving.refusals import RefusalError, problem
from unisono.drivers.serving.security.gate import Gate
from unisono.drivers.serving.service import Handler, Service
from unisono.drivers.serving.service import Path as Parts
from unisono.drivers.serving.versions.catalogue import Catalogue
from unisono.drivers.serving.versions.loaded import LoadedVersion


class Hello:
    """`/hello`."""

    what = "GET /hello"

    def handle(self, request: Request, path: Parts, reply: Reply) -> None:
        reply(Response(200, b'{"hello":"world"}'))

    def refuse(self, refusal: RefusalError) -> Response:
        return problem(refusal)


class Champion:
    """The one version that answers."""

    def __init__(self, plan: OnlinePlan, version: LoadedVersion) -> None:
        self.plan = plan
        self.decoder = RequestDecoder(plan)
        self._lane, self._lanes = Lane(plan.name, version), Lanes()

    def submit(self, call: Call) -> None:
        self._lanes.submit(self._lane, call)


def predicting(project: Path) -> Handler:
    """With the project's champion, in this process."""
    opened = load(project)
    plan = plan_of(opened.ready(WIDE))
    lookup = Lookup(StateReader(opened.states(WIDE), plan), plan)
    version = LoadedVersion(opened.scorer(WIDE).of_rows(plan.columns), lookup)
    catalogue = Catalogue({WIDE: Champion(plan, version)})
    return PredictHandler(catalogue, Gate(None), NoMeter(), timeout_s=10.0, most_bytes=1 << 20)


def serve(carrier: str, service: Service, port: int) -> None:
    """Until this process is killed."""
    uvloop.run(_own(service, port) if carrier == OWN else _under_uvicorn(service, port))


async def _own(service: Service, port: int) -> None:
    await HttpServer(service).start([listen("127.0.0.1", port)])
    await asyncio.Event().wait()


async def _under_uvicorn(service: Service, port: int) -> None:
    application = Application(service)
    config = uvicorn.Config(application, port=port, http="httptools", ws="none", access_log=False, log_level="warning")
    config.server_header = config.date_header = False
    await uvicorn.Server(config).serve()


def main(carrier: str, port: str, project: str = "") -> None:
    handlers: dict[str, Handler] = {"predict": predicting(Path(project))} if project else {"hello": Hello()}
    serve(carrier, Service(handlers), int(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
