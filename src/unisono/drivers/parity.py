"""Parity: every driver over the same log, every request compared bit by bit, the first difference named."""

from __future__ import annotations

import tempfile
import time as clock
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from unisono.connect.log import Log
from unisono.drivers import batch, plants
from unisono.drivers.comparing import Answers, Difference, compare, describe
from unisono.drivers.ingest import request_topic, source_topic
from unisono.drivers.lockstep import run_online
from unisono.drivers.plants import POSITION, ChangedLog, Changes, Plant
from unisono.drivers.predictors import ReadyPredictor
from unisono.drivers.scores import Outputs, Scores
from unisono.drivers.stream import ReadableLog, StreamRun, prediction_topic
from unisono.features.canonical import polars_dtype
from unisono.spec.errors import InputError
from unisono.spec.progress import Progress, no_progress
from unisono.store.predictions import POSITION as REQUEST_POSITION
from unisono.store.predictions import PREDICTION, feature_matrix, output_names

DRIVERS = plants.DRIVERS
PLANTS = tuple(f"{kind}:{driver}" for kind in plants.KINDS for driver in DRIVERS)
"""What `--plant` takes."""


@dataclass(frozen=True, slots=True)
class ParityReport:
    """What the drivers answered.

    requests, events, features, outputs: how many were compared: requests x (features + outputs) values a driver.
    drivers:          who answered; the first is what the others are compared with.
    differing_bits:   of the other drivers, together.
    differing_values: values that have any.
    first:            the first difference in log order; None if there is none.
    seconds:          how long each driver took.
    planted:          the fault that was put in on purpose, if any.
    """

    predictor: str
    requests: int
    events: int
    features: int
    outputs: int
    drivers: tuple[str, ...]
    differing_bits: int
    differing_values: int
    first: Difference | None
    seconds: Mapping[str, float]
    planted: str | None

    def as_dict(self) -> dict[str, object]:
        """The report as JSON has it."""
        plain: dict[str, object] = msgspec.to_builtins(self)
        plain["first"] = None if self.first is None else self.first._asdict()
        return plain


@dataclass(frozen=True, slots=True)
class _World:
    """A log as frames in log order, each row with its position."""

    events: Mapping[str, pl.DataFrame]
    requests: pl.DataFrame

    @property
    def positions(self) -> NDArray[np.int64]:
        places: NDArray[np.int64] = self.requests.get_column(POSITION).to_numpy()
        return places


def run_parity(
    ready: ReadyPredictor, log: Log, scorer: Scores, *, plant: str | None = None, progress: Progress = no_progress
) -> ParityReport:
    """Run batch, stream and online over a log and compare what they answer.

    plant: a fault put into one driver's inputs, see PLANTS; then only that driver and one without the fault are run.

    Raises InputError if the log has no requests of the predictor, or for another plant.
    """
    planted = None if plant is None else plants.parse_plant(plant)
    world = _read_world(ready, log)
    if not world.requests.height:
        raise InputError(
            f"parity of {ready.name}: the log has no requests; allowed: one or more; bind a file to it in [requests]"
        )
    changes = _changes(planted, ready, world)
    answers: dict[str, Answers] = {}
    seconds: dict[str, float] = {}
    for driver in _drivers(planted):
        begun = clock.monotonic()
        inputs = ChangedLog(log, changes if planted and planted.driver == driver else Changes())
        judge = _scorer(planted, driver, scorer, ready, world, answers)
        answers[driver] = _RUNNERS[driver](ready, inputs, judge, progress)
        seconds[driver] = round(clock.monotonic() - begun, 3)
    return _report(ready, world, answers, seconds, plant)


def _drivers(planted: Plant | None) -> tuple[str, ...]:
    """Who answers: everybody; with a planted fault only the driver that has it and one that has not."""
    if planted is None:
        return DRIVERS
    return DRIVERS[:2] if planted.driver == DRIVERS[0] else (DRIVERS[0], planted.driver)


def _changes(planted: Plant | None, ready: ReadyPredictor, world: _World) -> Changes:
    if planted is None or planted.kind == "change-weight":
        return Changes()
    return plants.plan_changes(planted.kind, ready, world.events, world.requests)


def _scorer(
    planted: Plant | None,
    driver: str,
    scorer: Scores,
    ready: ReadyPredictor,
    world: _World,
    answers: Mapping[str, Answers],
) -> Scores:
    """The scorer of one driver; with a planted weight, one that answers otherwise."""
    if planted is None or planted != Plant("change-weight", driver):
        return scorer
    from unisono.drivers.weights import change_weight

    requests = world.requests.slice(world.requests.height // 2, 2000)
    rows = batch.features_of_requests(ready, requests, world.events)
    return change_weight(scorer, ready.feature_names, requests, rows)


def _report(
    ready: ReadyPredictor,
    world: _World,
    answers: Mapping[str, Answers],
    seconds: Mapping[str, float],
    plant: str | None,
) -> ParityReport:
    against, *others = answers
    found = {driver: compare(answers[driver], answers[against]) for driver in others}
    differing = [driver for driver in others if found[driver].row is not None]
    first = None
    if differing:
        driver = min(differing, key=lambda name: (found[name].row, found[name].column))
        pair = {driver: answers[driver], against: answers[against]}
        first = describe(ready, world.requests, world.positions, found[driver], pair)
    outputs = answers[against].outputs.values()
    return ParityReport(
        predictor=ready.name,
        requests=world.requests.height,
        events=sum(frame.height for frame in world.events.values()),
        features=len(ready.feature_names),
        outputs=sum(values.size // max(len(values), 1) for values in outputs),
        drivers=tuple(answers),
        differing_bits=sum(comparison.differing_bits for comparison in found.values()),
        differing_values=sum(comparison.differing_values for comparison in found.values()),
        first=first,
        seconds=dict(seconds),
        planted=plant,
    )


def _read_world(ready: ReadyPredictor, log: ReadableLog) -> _World:
    frames: dict[str, list[pl.DataFrame]] = {}
    for block in log.read():
        for part in block.parts:
            places = pl.Series(POSITION, part.offsets.astype(np.int64) + block.position)
            frames.setdefault(part.topic, []).append(part.frame.with_columns(places))
    events = {
        name: _together(frames.get(source_topic(name), []), source.columns)
        for name, source in ready.spec.sources.items()
    }
    return _World(events, _together(frames.get(request_topic(ready.name), []), ready.spec.columns))


def _together(frames: list[pl.DataFrame], columns: Mapping[str, object]) -> pl.DataFrame:
    if frames:
        return pl.concat(frames)
    schema = {name: polars_dtype(dtype) for name, dtype in columns.items()}  # type: ignore[arg-type]
    return pl.DataFrame(schema={**schema, POSITION: pl.Int64()})


# The drivers ----------------------------------------------------------------------------------------------------------


def _run_batch(ready: ReadyPredictor, log: ReadableLog, scorer: Scores, progress: Progress) -> Answers:
    world = _read_world(ready, log)
    requests = world.requests.drop(POSITION)
    progress("batch", 0, requests.height)
    features = batch.features_of_requests(ready, requests, world.events)
    pieces = [
        scorer.score(requests.slice(start, batch.CHUNK_ROWS), features[start : start + batch.CHUNK_ROWS])
        for start in range(0, requests.height, batch.CHUNK_ROWS)
    ]
    progress("batch", requests.height, requests.height)
    return Answers(features, _joined(pieces))


def _joined(pieces: list[Outputs]) -> Outputs:
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _run_stream(ready: ReadyPredictor, log: ReadableLog, scorer: Scores, progress: Progress) -> Answers:
    with tempfile.TemporaryDirectory(prefix="unisono-parity-") as name:
        directory = Path(name)
        with StreamRun(ready, log, scorer, directory, mode="temporary") as run:
            run.advance(progress=lambda what, done, total: progress("stream", done, total))
        rows = pl.concat(
            part.frame
            for block in Log(directory / "predictions").read()
            for part in block.parts
            if part.topic == prediction_topic(ready.name)
        )
    assert rows.get_column(REQUEST_POSITION).is_sorted()
    outputs = {name: rows.get_column(PREDICTION + name).to_numpy() for name in output_names(rows.columns)}
    return Answers(feature_matrix(rows, len(ready.feature_names)), outputs)


_RUNNERS: Mapping[str, Callable[[ReadyPredictor, ChangedLog, Scores, Progress], Answers]] = {
    "batch": _run_batch,
    "stream": _run_stream,
    "online": run_online,
}
