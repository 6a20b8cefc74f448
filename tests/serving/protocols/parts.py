"""What the protocols' tests are about: a predictor with a column of every kind, and one over a real state."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

import unisono as un
from tests.serving.one_version import OneVersion
from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.online.predictor import OnlinePredictor
from unisono.drivers.online.reading import Known, Lookup, StateReader
from unisono.drivers.scores import Matrix, Outputs, Row
from unisono.drivers.serving.batches import joined
from unisono.drivers.serving.calls import Call
from unisono.drivers.serving.exchange import Request, Response
from unisono.drivers.serving.grpc.service import GrpcService
from unisono.drivers.serving.handlers.features import FeaturesHandler, Knows
from unisono.drivers.serving.handlers.oip import OipHandler
from unisono.drivers.serving.handlers.openapi import OpenapiHandler
from unisono.drivers.serving.handlers.predict import PredictHandler
from unisono.drivers.serving.lane import Lane
from unisono.drivers.serving.lanes import Lanes
from unisono.drivers.serving.models import Models
from unisono.drivers.serving.operations.meter import NoMeter
from unisono.drivers.serving.refusals import RefusalError
from unisono.drivers.serving.repository import Done, Form, ModelState
from unisono.drivers.serving.security.gate import Gate
from unisono.drivers.serving.service import Service
from unisono.drivers.serving.versions.catalogue import Catalogue
from unisono.drivers.serving.versions.loaded import LoadedVersion
from unisono.spec.errors import StoreError

MOST_BYTES = 1 << 20

KINDS = OnlinePlan(
    "kinds",
    {
        "name": un.String,
        "shop": un.Int64,
        "price": un.Decimal(places=2),
        "weight": un.Float64,
        "flag": un.Bool,
        "due": un.Timestamp,
        "window": un.Tensor("Float32", (2, 2)),
        "asked_at": un.Timestamp,
    },
    "asked_at",
    ("first", "second"),
    (),
)
OUTPUTS = (
    Form("prediction", "FP64", (-1,)),
    Form("shares", "FP32", (-1, 2)),
    Form("seen", "BYTES", (-1,)),
    Form("large", "BOOL", (-1,)),
)


@dataclass
class Echo:
    """A version that answers with what it was asked; nothing is looked up."""

    id: str = "echo1"
    rows: list[Row] = field(default_factory=list)
    features: Matrix = field(default_factory=lambda: np.zeros((0, 2)))

    def look_up(self, call: Call, *, aside: bool = False) -> Known:
        return self.known(call.rows, call.features)

    def look_up_together(self, calls: Sequence[Call]) -> tuple[Known, list[Known]]:
        each = [self.look_up(call) for call in calls]
        return joined(each), each

    def known(self, rows: Sequence[Row], given: Matrix | None = None) -> Known:
        features = np.zeros((len(rows), 2)) if given is None else given
        return Known(rows, [int(row[-1] or 7) for row in rows], features, 5)

    def score(self, rows: Sequence[Row], features: Matrix) -> Outputs:
        self.rows, self.features = list(rows), features
        weights = np.array([float(row[3] or 0.0) for row in rows])
        with np.errstate(all="ignore"):
            total, shares = weights + features[:, 0], np.stack([weights, 1.0 - weights], axis=1).astype(np.float32)
        return {
            "prediction": total,
            "shares": shares,
            "seen": np.array([str(row[0]) for row in rows], object),
            "large": weights > 1.0,
        }

    def stop(self) -> None:
        pass


class NamedVersion(OneVersion):
    """A version that answers to its names only."""

    names: tuple[str | None, ...] = (None, "echo1", "adder", "champion")

    def submit(self, call: Call) -> None:
        if call.version not in self.names:
            raise RefusalError("no_such_version", f"{call.version}: not served; allowed: {self.names}; correct it")
        super().submit(call)


@dataclass
class Shelf:
    """A repository whose versions are loaded and unloaded at once, on the next turn of the loop."""

    states: dict[str, ModelState]
    asked: list[tuple[str, str]] = field(default_factory=list)

    def index(self) -> Sequence[ModelState]:
        return list(self.states.values())

    def load(self, name: str, done: Done) -> None:
        self._put(name, "READY", done)

    def unload(self, name: str, done: Done) -> None:
        self._put(name, "UNAVAILABLE", done)

    def _put(self, name: str, state: Any, done: Done) -> None:
        self.asked.append((name, state))
        if name == "risk" and state == "UNAVAILABLE":  # it stays as it is: others ask the same server afterwards
            asyncio.get_running_loop().call_soon(done, StoreError("the registry is away; ask again"))
            return
        old, reason = self.states[name], "" if state == "READY" else "unloaded"
        self.states[name] = ModelState(name, old.version, state, reason, old.aliases, old.outputs)
        asyncio.get_running_loop().call_soon(done, None)


@dataclass
class Parts:
    """The protocols over some predictors, in this process."""

    catalogue: Catalogue
    models: Models
    shelf: Shelf
    echo: Echo
    gate: Gate
    online: OnlinePredictor | None = None
    is_ready: bool = True

    def readiness(self) -> None:
        if not self.is_ready:
            raise StoreError("the state is away; ask again")

    def service(self) -> Service:
        """All that speaks to callers, but for health, metrics and administration."""
        lookups = {name: self._lookup(name) for name in self.catalogue.names}
        predict = PredictHandler(self.catalogue, self.gate, NoMeter(), timeout_s=10.0, most_bytes=MOST_BYTES)
        return Service(
            {
                "predict": predict,
                "features": FeaturesHandler(self.catalogue, lookups, self.gate, NoMeter(), most_bytes=MOST_BYTES),
                "v2": OipHandler(self.models, NoMeter(), self.readiness, most_bytes=MOST_BYTES),
                "openapi.json": OpenapiHandler(self.catalogue, self.shelf, self.gate),
            }
        )

    def _lookup(self, name: str) -> Knows:
        if self.online is None or name == "kinds":
            return self.echo
        return Lookup(StateReader(self.online.store, self.online.plan), self.online.plan, clock=lambda: 0)

    def grpc(self) -> GrpcService:
        return GrpcService(self.models, NoMeter(), self.readiness)


def make_parts(online: OnlinePredictor | None = None, *, gate: Gate | None = None) -> Parts:
    """The predictor `kinds`, and `risk` over a state if there is one."""
    echo, lanes = Echo(), Lanes()
    served = {"kinds": NamedVersion(KINDS, Lane("kinds", echo), lanes)}
    states = {"kinds": ModelState("kinds", "echo1", "READY", "", ("champion",), OUTPUTS)}
    if online is not None:
        lookup = Lookup(StateReader(online.store, online.plan), online.plan, clock=lambda: 0)
        served["risk"] = NamedVersion(online.plan, Lane("risk", LoadedVersion(online.scorer, lookup)), lanes)
        outputs = (Form("prediction", "FP64", (-1,)), Form("large", "BOOL", (-1,)))
        states["risk"] = ModelState("risk", "adder", "READY", "", ("champion",), outputs)
    catalogue, shelf = Catalogue(served), Shelf(states)
    gate = gate or Gate(None)
    return Parts(catalogue, Models(catalogue, shelf, gate, timeout_s=10.0), shelf, echo, gate, online)


@cache
def runner() -> asyncio.Runner:
    """One loop for all services in this process, which stay on the one they first met."""
    return asyncio.Runner()


async def exchanged(service: Service, request: Request) -> Response:
    """What a service answers."""
    answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    service.handle(request, answer.set_result)
    async with asyncio.timeout(10):
        return await answer


def ask(
    service: Service, method: str, path: str, body: Any = None, headers: Mapping[bytes, bytes] | None = None
) -> Response:
    """What a service answers to one request; `body` is bytes, or what is sent as JSON."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return runner().run(exchanged(service, Request(method, path, headers=headers or {}, body=content)))


async def called(service: GrpcService, name: str, body: bytes, headers: Mapping[bytes, bytes]) -> bytes | RefusalError:
    """What a call of the gRPC service is answered."""
    answer: asyncio.Future[bytes | RefusalError] = asyncio.get_running_loop().create_future()
    path = f"/inference.GRPCInferenceService/{name}"
    service.handle(Request("POST", path, headers=headers, body=body), answer.set_result)
    async with asyncio.timeout(10):
        return await answer


def tensor(name: str, datatype: str, data: Any, shape: Sequence[int] | None = None) -> dict[str, Any]:
    """An input in JSON; its shape is that of its data."""
    sides = list(np.array(data).shape) if shape is None else list(shape)
    return {"name": name, "datatype": datatype, "shape": sides, "data": data}


def inputs(rows: int = 1, **changes: Any) -> list[dict[str, Any]]:
    """The inputs of `kinds` in JSON. A change is another input, or None for none."""
    usual = {
        "name": tensor("name", "BYTES", [f"n{row}" for row in range(rows)]),
        "shop": tensor("shop", "INT64", list(range(rows))),
        "price": tensor("price", "FP64", [12.34] * rows),
        "weight": tensor("weight", "FP64", [row + 0.25 for row in range(rows)]),
        "flag": tensor("flag", "BOOL", [True] * rows),
        "due": tensor("due", "INT64", [1_700_000_000_000_000] * rows),
        "window": tensor("window", "FP32", [[[1.0, 2.0], [3.0, 4.0]]] * rows),
    }
    return [one for one in {**usual, **changes}.values() if one is not None]
