"""Versions to load that do what a test says, and a worker's part that has them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import unisono as un
from tests.serving.calls.fakes import PATIENCE_S, QUICK, Fake, Seen, call_of
from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.serving.calls import Outcome
from unisono.drivers.serving.lane import Lane
from unisono.drivers.serving.lanes import Bounds, Lanes
from unisono.drivers.serving.versions.changing import ChangingCatalogue, ChangingPredictor
from unisono.drivers.serving.versions.routes import Routes

NAMES = ("risk", "late", "rent", "wait")


def plan_of(name: str) -> OnlinePlan:
    """A predictor of one number."""
    return OnlinePlan(name, {"amount": un.Float64, "asked_at": un.Timestamp}, "asked_at", (), ())


@dataclass
class Library:
    """Loads versions by the name of their folder: `PREDICTOR-ID`. Version v7 answers seven times the amount.

    root:   where their folders are.
    broken: why some cannot be loaded.
    sizes:  bytes that they take, 1000 if nothing is said.
    gate:   what loading waits for.
    loads:  what was loaded, in order; given: what came of it.
    """

    root: Path
    broken: dict[str, Exception] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    gate: threading.Event | None = None
    loads: list[str] = field(default_factory=list)
    given: dict[str, Fake] = field(default_factory=dict)

    def __call__(self, predictor: str, path: Path) -> Fake:
        assert path.name.startswith(predictor)
        self.loads.append(path.name)
        if self.gate is not None:
            assert self.gate.wait(PATIENCE_S)
        if path.name in self.broken:
            raise self.broken[path.name]
        size_bytes = self.sizes.get(path.name, 1000)
        version = path.name.partition("-")[2]
        factor = float(version[1:]) if version[0] == "v" else 10.0
        made = Fake(version, factor, size_bytes=size_bytes, timings=[(1, QUICK)])
        self.given[path.name] = made
        return made

    def folder(self, predictor: str, version: str) -> str:
        """Of a version, with half as many bytes as it is expected to take in memory."""
        folder = self.root / f"{predictor}-{version}"
        folder.mkdir(exist_ok=True)
        (folder / "graph.onnx").write_bytes(bytes(500))
        return str(folder)


class Part:
    """Lanes and catalogue of a worker.

    budget:      bytes that the process may have.
    model_s:     after which a model hangs.
    other_bytes: what it has besides versions.
    """

    def __init__(self, library: Library, *, budget: int = 10_000, model_s: float = PATIENCE_S) -> None:
        self.library = library
        self.seen = Seen()
        self.other_bytes = 0
        self.of_versions: Callable[[], int] = lambda: 0
        self.lanes = Lanes(Bounds(wait_s=60.0, model_s=model_s), [self.seen])
        self.catalogue = ChangingCatalogue(
            map(plan_of, NAMES), self.lanes, library, budget_bytes=budget, resident=self.resident
        )
        self.of_versions = lambda: self.catalogue.shelf.loaded_bytes
        self.revisions = dict.fromkeys(NAMES, 0)

    async def route(self, predictor: str, champion: str = "", **others: Any) -> None:
        """Apply routes to versions that are named after the predictor."""
        await self.catalogue.apply(self.routes(predictor, champion, **others))

    def routes(
        self,
        predictor: str,
        champion: str = "",
        *,
        aliases: Mapping[str, str] | None = None,
        kept: Sequence[str] = (),
        **others: Any,
    ) -> Routes:
        self.revisions[predictor] += 1
        named = {**({"champion": champion} if champion else {}), **(aliases or {})}
        versions = {one: self.library.folder(predictor, one) for one in (*named.values(), *kept)}
        return Routes(predictor, versions, named, revision=self.revisions[predictor], **others)

    def ask(
        self, predictor: str, row: float = 1.0, *, version: str | None = None, timeout_s: float = PATIENCE_S
    ) -> asyncio.Future[Outcome]:
        """What will come of a call."""
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        call = call_of(row, done=answer.set_result, timeout_s=timeout_s, version=version)
        self.catalogue.predictor(predictor).submit(call)
        return answer

    def resident(self) -> int:
        """What the process has; nothing, if it is not to matter."""
        return self.other_bytes + self.of_versions() if self.other_bytes else 0

    def lane(self, predictor: str) -> Lane:
        """Of its champion."""
        served = self.catalogue.predictor(predictor)
        assert isinstance(served, ChangingPredictor)
        return served._route.aliases["champion"].lane

    def in_memory(self) -> list[str]:
        """The versions that are."""
        return [f"{one.name}-{one.version}" for one in self.catalogue.states() if one.state == "READY"]
