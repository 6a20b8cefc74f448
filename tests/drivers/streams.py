"""Small logs on disk, and something that answers without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import unisono as un
from tests.drivers.logs import LOGINS, TAPS, VIEWS, World, instants
from unisono.connect.log import Log, LogWriter
from unisono.drivers.ingest import event_batch, fill, request_batch
from unisono.drivers.predictors import ReadyPredictor, make_predictor_ready
from unisono.drivers.scores import Row
from unisono.features.answers import without_nulls
from unisono.features.canonical import canonical
from unisono.features.places import Place
from unisono.spec.active import Version
from unisono.spec.types import DType

RISK = un.Predictor(
    "risk",
    request={"user": un.String, "shop": un.Int64, "note": un.String},
    time="asked_at",
    features=VIEWS,
)
SOURCES = {"taps": TAPS, "logins": LOGINS}


def ready() -> ReadyPredictor:
    return make_predictor_ready(RISK)


@dataclass(frozen=True)
class Adder:
    """Answers with the sum of the features that have a finite value: the same bits for one row as for many."""

    version: Version = field(default_factory=lambda: Version("risk", "adder", "nowhere"))

    def score(self, requests: pl.DataFrame, features: NDArray[np.float64]) -> Mapping[str, NDArray[Any]]:
        plain = without_nulls(features)
        total = np.zeros(len(plain))
        for column in plain.T:
            total = total + np.where(np.isfinite(column) & (np.abs(column) < 1e100), column, 0.0)
        return {"prediction": total, "large": total > 1e6}

    def of_rows(self, columns: Mapping[str, DType]) -> Adder:
        return self

    def score_rows(self, rows: Sequence[Row], features: NDArray[np.float64]) -> Mapping[str, NDArray[Any]]:
        return self.score(pl.DataFrame(), features)

    def stop(self) -> None:
        pass


def write_log(directory: Path, world: World, *, segment_bytes: int = 1 << 20) -> Log:
    """A world as a log."""
    batches = [
        event_batch(source, canonical(world.events[name], source.columns, Place(name), None))
        for name, source in SOURCES.items()
    ]
    requests = canonical(world.requests, RISK.columns, Place("requests"), None)
    with LogWriter(directory, durable=False, segment_bytes=segment_bytes) as writer:
        fill(writer, [*batches, request_batch(RISK, requests)])
    return Log(directory)


def grow(world: World, seed: int) -> World:
    """The same world with more of everything after its end."""
    rng = np.random.default_rng(seed)
    later = pl.duration(days=30)
    taps = world.events["taps"].sample(50, seed=seed).with_columns(pl.col("at", "known_at") + later)
    asked = instants([1_700_000_000_000_000 + 40 * 86_400_000_000] * 3)
    requests = world.requests.head(3).with_columns(
        asked_at=asked, note=pl.Series(rng.integers(0, 9, 3)).cast(pl.String)
    )
    events = {**world.events, "taps": pl.concat([world.events["taps"], taps])}
    return World(events, pl.concat([world.requests, requests]))
