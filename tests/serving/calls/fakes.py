"""Versions that do what a test says, and calls to them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import wraps
from time import perf_counter
from typing import Any

import numpy as np

from unisono.drivers.online.reading import Known
from unisono.drivers.scores import Matrix, Outputs, Row
from unisono.drivers.serving.batches import Batch, joined
from unisono.drivers.serving.calls import Answered, Call, Outcome
from unisono.drivers.serving.lane import Lane
from unisono.drivers.serving.lanes import Lanes
from unisono.drivers.serving.pace import Pace
from unisono.drivers.serving.repository import Form

PATIENCE_S = 20
QUICK, SLOW = 1e-5, 0.01
Test = Callable[..., Coroutine[Any, Any, None]]


def in_loop(test: Test) -> Callable[..., None]:
    """A test that runs on a loop of its own, and not for ever."""

    @wraps(test)
    def run(*arguments: Any, **options: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*arguments, **options), PATIENCE_S))

    return run


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; `in_loop` has the deadline."""
    while not condition():
        await asyncio.sleep(0.001)


@dataclass
class Fake:
    """Answers `factor` times the first value of each row.

    failing: rows that it fails on.
    gate:    what it waits for before it answers.
    asked:   the first values of what it was asked, batch by batch; aside: how many calls were looked up in a thread.
    """

    id: str = "one"
    factor: float = 10.0
    failing: frozenset[float] = frozenset()
    gate: threading.Event | None = None
    size_bytes: int = 1000
    outputs: tuple[Form, ...] = ()
    timings: list[tuple[int, float]] = field(default_factory=list)
    asked: list[list[float]] = field(default_factory=list)
    aside: int = 0
    stopped: int = 0
    threads: set[int] = field(default_factory=set)

    def look_up(self, call: Call, *, aside: bool = False) -> Known:
        self.aside += aside
        return Known(call.rows, [5] * len(call.rows), np.zeros((len(call.rows), 2)), 7)

    def look_up_together(self, calls: Sequence[Call]) -> tuple[Known, list[Known]]:
        each = [self.look_up(call) for call in calls]
        return joined(each), each

    def score(self, rows: Sequence[Row], features: Matrix) -> Outputs:
        assert len(rows) == len(features)
        values = [float(row[0]) for row in rows]  # type: ignore[arg-type]  # a test's rows are numbers
        self.asked.append(values)
        self.threads.add(threading.get_ident())
        if self.gate is not None:
            assert self.gate.wait(PATIENCE_S)
        if self.failing & set(values):
            raise ValueError("a bad row")
        return {"prediction": self.factor * np.array(values)}

    def stop(self) -> None:
        self.stopped += 1


@dataclass
class Seen:
    """A watcher: the batches that were answered."""

    batches: list[Batch] = field(default_factory=list)

    def answered(self, predictor: str, batch: Batch) -> None:
        self.batches.append(batch)


class Steady(Pace):
    """A pace that nothing changes."""

    def __init__(self, row_s: float, cap: int) -> None:
        super().__init__()
        super().observe(1, row_s)
        self.cap = cap

    def observe(self, rows: int, seconds: float) -> None:
        pass


def lane_of(answers: Fake | None, *, row_s: float = QUICK, cap: int = 8, name: str = "risk") -> Lane:
    """A lane that knows how fast its version is."""
    lane = Lane(name, answers)
    lane.pace = Steady(row_s, cap)
    return lane


def call_of(*rows: float, done: Callable[[Outcome], None], timeout_s: float = float("inf"), **options: Any) -> Call:
    now = perf_counter()
    return Call("risk", [(row,) for row in rows], done, deadline_s=now + timeout_s, queued_s=now, **options)


def ask(lanes: Lanes, lane: Lane, *rows: float, timeout_s: float = float("inf")) -> asyncio.Future[Outcome]:
    """What will come of a call."""
    answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    lanes.submit(lane, call_of(*rows, done=answer.set_result, timeout_s=timeout_s))  # twice would be an error
    return answer


def values(outcome: Outcome) -> list[float]:
    """The prediction of an answer."""
    assert isinstance(outcome, Answered), outcome
    return [float(value) for value in outcome.outputs["prediction"]]
