"""A keeper in this process, over workers that are actors."""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any

from msgspec.structs import replace

from unisono.drivers.serving.security.watching import TokenWatch
from unisono.drivers.serving.settings import Serve
from unisono.drivers.serving.versions.routes import Routes
from unisono.drivers.serving.workers.keeper import Keeper, Terms
from unisono.drivers.serving.workers.reports import Event
from unisono.drivers.serving.workers.watching import Watcher

ACTOR = (sys.executable, str(Path(__file__).with_name("actor.py")))
PATIENCE_S = 60.0
SETTINGS = Serve(port=0)


def until(condition: Callable[[], Any], why: str = "") -> Any:
    """Wait for a condition; returns what it gives."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline_s, why
        time.sleep(0.02)
    return found


class FakeWatcher(Watcher):
    """Gives what a test puts into it."""

    def __init__(self, routes: Sequence[Routes]) -> None:
        self.waiting = list(routes)
        self.calls: list[tuple[str, str]] = []
        self.error: Exception | None = None
        self.shaped = 0

    def look(self) -> list[Routes]:
        self.shaped = self.shape(Routes("x", {}, {})).revision
        found, self.waiting = self.waiting, []
        return found

    def load(self, predictor: str) -> None:
        self._called("load", predictor)

    def unload(self, predictor: str) -> None:
        self._called("unload", predictor)

    def roll_back(self, predictor: str) -> None:
        self._called("rollback", predictor)

    def _called(self, what: str, predictor: str) -> None:
        self.calls.append((what, predictor))
        if self.error is not None:
            raise self.error


@dataclass
class Kept:
    """A keeper that runs in a thread."""

    keeper: Keeper
    watcher: FakeWatcher
    settings: Serve
    events: list[Event] = field(default_factory=list)
    url: str = ""

    def get(self, path: str = "/") -> Any:
        """What a worker says. Raises OSError if that one went away."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE_S) as response:
            content = response.read()
        return content.decode() if content.startswith(b"!") else json.loads(content or b"null")

    def try_get(self, path: str = "/") -> Any:
        """The same; None if nobody answered."""
        with suppress(OSError):
            return self.get(path)
        return None

    def pids(self) -> list[int | None]:
        return [slot.pid for slot in self.keeper._slots]

    def all_listen(self) -> bool:
        return all(slot.is_listening for slot in self.keeper._slots)

    def told(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.kind == kind]


ROUTES = Routes("risk", {"v1": "folder"}, {"champion": "v1"}, revision=1)


@contextmanager
def kept(
    routes: Sequence[Routes] = (ROUTES,),
    *,
    workers: int = 2,
    settings: Serve = SETTINGS,
    reread: Callable[[], Serve] | None = None,
    tokens: TokenWatch | None = None,
    command: Sequence[str] = ACTOR,
) -> Iterator[Kept]:
    """A keeper that has announced where its workers are; it is stopped at the end."""
    announced: Queue[str | BaseException] = Queue()
    events: list[Event] = []
    watcher = FakeWatcher(routes)
    terms = Terms(
        root=Path(),
        log=Path("served"),
        predictors=(),
        settings=settings,
        workers=workers,
        is_json=False,
        reread=reread or (lambda: settings),
        shape=lambda read: lambda one: replace(one, revision=read.calls.rows),
        tokens=tokens,
        command=command,
    )
    keeper = Keeper(terms, watcher, announce=announced.put, report=events.append)

    def run() -> None:
        try:
            keeper.run()
        except BaseException as error:
            announced.put(error)

    thread = threading.Thread(target=run)
    thread.start()
    found = announced.get(timeout=PATIENCE_S)
    if isinstance(found, BaseException):
        thread.join()
        raise found
    try:
        yield Kept(keeper, watcher, settings, events, found)
    finally:
        keeper.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def is_alive(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
