"""What leaking training frames claim: the same flights, views and parameters, read at the wrong instant."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

import unisono as un
from examples.flights import train
from examples.flights.clock import ORIGIN_ZONE
from examples.flights.findings import Claim
from examples.flights.metrics import score

Progress = Callable[[str, int, int | None], None]

_HERE = Path(__file__).parent
_EVENT_TIMES = {"arrivals": ("reported_at", "landed_at"), "weather": ("known_at", "observed_at")}

_LATER = {
    "joined by the hour": (
        "at the end of the hour in which it is asked",
        pl.col("asked_at").dt.truncate("1h").dt.offset_by("1h"),
    ),
    "at departure": (
        "at the scheduled departure: a flight that left early answers for itself",
        pl.col("sched_dep"),
    ),
    "joined by the day": (
        "at the end of the day, which holds the answer",
        pl.col("sched_dep").dt.convert_time_zone(ORIGIN_ZONE).dt.truncate("1d").dt.offset_by("1d"),
    ),
}
"""Frame -> how it reads features, and when."""


def claims(honest: pl.DataFrame, columns: Sequence[str], own: float, progress: Progress) -> list[Claim]:
    """Each kind of frame with the AUC it claims and the AUC its model gets.

    honest: the point-in-time training frame, labelled.
    own:    the AUC that it claims, and gets.
    """
    found = [Claim("point in time", "as known two hours before departure", own, own)]
    kinds = ["event time only", *_LATER]
    for done, kind in enumerate(kinds):
        progress("leaking frames", done, len(kinds))
        mistake, frame = _event_time_only(honest) if kind == "event time only" else _later(honest, kind)
        found.append(_claim(kind, mistake, frame, honest, columns))
    progress("leaking frames", len(kinds), len(kinds))
    return found


def _claim(kind: str, mistake: str, leaking: pl.DataFrame, honest: pl.DataFrame, columns: Sequence[str]) -> Claim:
    model = train.train(leaking, columns)
    aucs = [
        score(train.truth(rows), train.probability(model, rows, columns)).auc
        for rows in map(train.after_split, (leaking, honest))
    ]
    return Claim(kind, mistake, *aucs)


def _later(honest: pl.DataFrame, kind: str) -> tuple[str, pl.DataFrame]:
    """The frame as it would be if it were asked for later."""
    mistake, instant = _LATER[kind]
    requests = _requests(honest).with_columns(asked_at=instant.dt.convert_time_zone("UTC").dt.cast_time_unit("us"))
    return mistake, _labelled_alike(un.load(_HERE).training_frame("delay", requests), honest)


def _event_time_only(honest: pl.DataFrame) -> tuple[str, pl.DataFrame]:
    """The frame from events that are taken as known when they happen."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        _copy_without_ingest_times(root)
        frame = un.load(root).training_frame("delay", _requests(honest))
    return "an arrival as known at its landing, weather from its hour on", _labelled_alike(frame, honest)


def _copy_without_ingest_times(root: Path) -> None:
    for name in ("definitions.py", "unisono.toml"):
        shutil.copy(_HERE / name, root / name)
    (root / "data").mkdir()
    for path in (_HERE / "data").glob("*.parquet"):
        if path.stem in _EVENT_TIMES:
            known, happened = _EVENT_TIMES[path.stem]
            pl.read_parquet(path).with_columns(pl.col(happened).alias(known)).write_parquet(root / "data" / path.name)
        else:
            shutil.copy(path, root / "data" / path.name)


def _requests(frame: pl.DataFrame) -> pl.DataFrame:
    asked = pl.read_parquet_schema(_HERE / "data" / "flights.parquet")
    return frame.select(list(asked))


def _labelled_alike(frame: pl.DataFrame, honest: pl.DataFrame) -> pl.DataFrame:
    """The frame's features under the time of asking and the label that are true; rows are in one order."""
    return frame.with_columns(honest["asked_at"], honest[train.LABEL])
