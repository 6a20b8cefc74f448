"""A server to be harmed: two predictors, one of which needs no state and has a model that does as it is told."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

import unisono as un
from benchmarks.serving.callers import Seen, post, press
from tests.drivers.projects import DEFINITIONS, make_project, register
from tests.faults.strange_models import strange_model
from tests.serving.load.served import ServedProject, request_body
from unisono.drivers.project import Project

PATIENCE_S = 60.0
LAST_ANSWERS_S = 5.0
SETTINGS = """
[serve.workers]
count = 2

[serve.calls]
model_s = 0.5
rows = 1000

[serve.http]
header_timeout_s = 1.0
body_timeout_s = 1.0
"""
PLAIN = """
plain = un.Predictor("plain", request={"shop": un.Int64}, time="asked_at", features=[])
"""


def make(folder: Path) -> Project:
    """A project with a version of each predictor, and its state."""
    project = make_project(folder)
    register(project)
    project.stream("risk")
    (folder / "definitions.py").write_text(DEFINITIONS + PLAIN)
    project = un.load(folder)
    project.register("plain", strange_model(2.0), sample=asked())
    return project


def asked() -> pl.DataFrame:
    """Rows on which the strange model is well behaved."""
    shops = pl.DataFrame({"shop": [0, 1, 2, 3] * 10})
    return shops.with_columns(asked_at=pl.lit(1_767_225_600_000_000).cast(pl.Datetime("us", "UTC")))


@dataclass
class Target:
    """A server, and the project that it serves."""

    project: Project
    served: ServedProject

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any, Mapping[str, str]]:
        """Status, decoded answer and headers."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.served.port}{path}", content, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
                return response.status, json.loads(response.read()), dict(response.headers)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read()), dict(error.headers)

    def ask(self, shop: int) -> tuple[int, Any]:
        """The strange model."""
        status, answer, _ = self.send("POST", "/predict/plain", {"shop": shop})
        return status, answer

    def readiness(self) -> tuple[int, Any]:
        status, answer, _ = self.send("GET", "/health/ready")
        return status, answer

    def workers(self) -> list[dict[str, Any]]:
        _, status, _ = self.send("GET", "/admin/status")
        found: list[dict[str, Any]] = status["workers"]
        return found

    @property
    def said(self) -> str:
        """What it wrote to stderr."""
        return self.served.said.read_text()


def until(condition: Callable[[], Any], why: Callable[[], object] = lambda: "") -> Any:
    """Wait for a condition; returns what it gives."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline_s, why()
        time.sleep(0.02)
    return found


@dataclass
class Load:
    """Callers who go on asking.

    seen: what they got, in the order of the answers.
    """

    seen: list[Seen] = field(default_factory=list)
    is_over: bool = False

    def statuses(self) -> dict[int, int]:
        """How often each status came; 0: the connection ended instead."""
        return {status: sum(one.status == status for one in self.seen) for status in {one.status for one in self.seen}}

    def wait(self, more: int) -> None:
        """Until so many more have come back."""
        enough = len(self.seen) + more
        until(lambda: len(self.seen) >= enough, self.statuses)


REQUESTS = [post("/predict/risk", request_body(number)) for number in range(21)]


@contextmanager
def load(target: Target, *, connections: int, requests: Sequence[bytes] = REQUESTS) -> Iterator[Load]:
    """Callers on so many connections, until the end of the context; the server may end before."""
    going = Load()

    def numbers() -> Iterator[int]:
        number = 0
        while not going.is_over:
            yield number % len(requests)
            number += 1

    async def call() -> None:
        look = going.seen.append
        calling = asyncio.ensure_future(press(target.served.port, requests, numbers(), look, connections=connections))
        while not going.is_over:
            await asyncio.sleep(0.02)
        await asyncio.wait([calling], timeout=LAST_ANSWERS_S)  # without a server nobody is done
        calling.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(call()))
    thread.start()
    try:
        going.wait(connections)
        yield going
    finally:
        going.is_over = True
        thread.join()
