"""Random definitions and logs that hold everything a log can hold, and what the reference says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import unisono as un
from unisono.features.compile import compile_view
from unisono.kernel.codec import nulls
from unisono.kernel.reference import Event, answer
from unisono.spec.aggregations import Aggregation

HOUR = 3_600_000_000
START = 1_700_000_000_000_000

TAPS = un.Source(
    "taps",
    {"user": un.String, "shop": un.Int64, "cents": un.Decimal(places=2), "weight": un.Float64, "ok": un.Bool},
    event_time="at",
    ingest_time="known_at",
    id="tap",
    retraction="undone",
    remember_ids="2h",
)
LOGINS = un.Source("logins", {"user": un.String, "tries": un.Int64}, event_time="at")


def of(*columns: str) -> list[Aggregation]:
    """Every aggregation of some columns."""
    kinds = (un.count, un.sum, un.mean, un.var, un.std, un.min, un.max, un.range, un.first, un.last)
    return [un.count(), *(kind(column) for column in columns for kind in kinds)]


VIEWS = [
    un.FeatureView("by_user", TAPS, key="user", windows=["1h", "3h"], aggregations=of("cents", "weight", "ok")),
    un.FeatureView("by_both", TAPS, key=["user", "shop"], windows=["2h", None], aggregations=of("cents", "weight")),
    un.FeatureView("logins_of", LOGINS, key="user", windows=["30m", None], aggregations=of("tries")),
]


@dataclass(frozen=True)
class World:
    """Frames to ask about."""

    events: Mapping[str, pl.DataFrame]
    requests: pl.DataFrame


def instants(times: Sequence[int] | NDArray[np.int64]) -> pl.Series:
    return pl.Series(np.asarray(times, np.int64)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def make_world(seed: int, *, events: int = 300, requests: int = 120, users: int = 3, hours: float = 12.0) -> World:
    """A log several times as long as the longest window, with late events, duplicates, retractions, odd numbers."""
    rng = np.random.default_rng(seed)
    span = int(hours * HOUR)
    grid = HOUR // 6  # coarse, so that instants meet each other and the edges of windows
    at = rng.integers(0, span // grid, events) * grid
    late = np.where(rng.random(events) < 0.3, rng.integers(0, 12, events) * grid, 0)
    weights = rng.choice([0.1, -0.0, 1e300, -1e300, 5e-324, np.nan, np.inf, -np.inf, 1.5], events)
    taps = pl.DataFrame(
        {
            "user": rng.choice([f"u{number}" for number in range(users)], events),
            "shop": rng.integers(0, 3, events),
            "cents": np.round(rng.normal(0, 100, events), 2),
            "weight": np.where(rng.random(events) < 0.9, rng.normal(0, 1, events), weights),
            "ok": rng.random(events) < 0.5,
            "at": instants(START + at),
            "known_at": instants(START + at + late),
            "tap": [f"t{number}" for number in rng.integers(0, events // 2, events)],
            "undone": rng.random(events) < 0.1,
        }
    )
    # Twins: the same id and instant, so that duplicates and retractions really meet.
    twins = taps.sample(fraction=0.3, seed=seed).with_columns(
        (pl.col("known_at") + pl.duration(microseconds=3 * grid)).alias("known_at"),
        pl.Series("undone", rng.random(int(events * 0.3)) < 0.5),
    )
    taps = _with_nulls(pl.concat([taps, twins]), rng, ["cents", "weight", "ok"]).sample(
        fraction=1.0, shuffle=True, seed=seed
    )
    logins = pl.DataFrame(
        {
            "user": rng.choice([f"u{number}" for number in range(users)], events // 3),
            "tries": rng.integers(-(2**62), 2**62, events // 3),
            "at": instants(START + np.sort(rng.integers(0, span // grid, events // 3) * grid)),
        }
    )
    asked = pl.DataFrame(
        {
            "user": rng.choice([f"u{number}" for number in range(users + 1)], requests),
            "shop": rng.integers(0, 4, requests),
            "note": [f"n{number}" for number in range(requests)],
            "asked_at": instants(START + rng.integers(0, span // grid + 10, requests) * grid),
        }
    )
    return World({"taps": taps, "logins": _with_nulls(logins, rng, ["tries"])}, asked)


def _with_nulls(frame: pl.DataFrame, rng: np.random.Generator, columns: Sequence[str]) -> pl.DataFrame:
    masks = {name: pl.Series(rng.random(frame.height) < 0.1) for name in columns}
    return frame.with_columns(pl.when(~mask).then(pl.col(name)).alias(name) for name, mask in masks.items())


def expected(view: un.FeatureView, world: World) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The reference's answers: float64, requests x features, null by its payload."""
    plan = compile_view(view).plan
    source = view.source
    frame = world.events[source.name].with_row_index("row")
    frame = frame.sort(source.ingest_time or source.event_time, maintain_order=True)
    logs: dict[tuple[object, ...], list[Event]] = {}
    ids: dict[object, int] = {}
    for row in frame.iter_rows(named=True):
        logs.setdefault(tuple(row[name] for name in view.key), []).append(_event(row, view, ids))
    answers = np.empty((world.requests.height, len(plan.outputs)))
    bits = answers.view(np.int64)
    for index, row in enumerate(world.requests.iter_rows(named=True)):
        log = logs.get(tuple(row[name] for name in view.key), [])
        values = answer(plan, log, _microseconds(row["asked_at"]))
        for output, value in enumerate(values):
            answers[index, output] = np.nan if value is None else value
            if value is None:
                bits[index, output] = 0x7FF8_0000_0000_0001
    return answers


def _event(row: Mapping[str, object], view: un.FeatureView, ids: dict[object, int]) -> Event:
    source = view.source
    values = [_value(row[name], dtype) for name, dtype in compile_view(view).columns.items()]
    time = _microseconds(row[source.event_time])
    ingest = time if source.ingest_time is None else _microseconds(row[source.ingest_time])
    identity = None if source.id is None else ids.setdefault(row[source.id], len(ids))
    return Event(time, ingest, tuple(values), identity, bool(source.retraction and row[source.retraction]))


def _value(value: Any, dtype: object) -> int | float | None:
    if value is None:
        return None
    if isinstance(dtype, un.Decimal):
        digits: int = round(float(value) * 10**dtype.places)
        return digits
    return value if isinstance(value, float) else int(value)


def _microseconds(moment: object) -> int:
    series = pl.Series([moment])
    return int(series.dt.timestamp("us")[0])


def same_bits(left: pl.DataFrame, right: pl.DataFrame) -> bool:
    """Whether two frames have the same columns and values, floats by their bits."""
    return left.columns == right.columns and all(
        bits(left.get_column(name)).equals(bits(right.get_column(name)), null_equal=True) for name in left.columns
    )


def bits(column: pl.Series) -> pl.Series:
    if column.dtype != pl.Float64:
        return column
    whole = pl.Series(column.name, column.fill_null(0.0).to_numpy().view(np.int64))
    return whole.set(column.is_null(), None)


def columns_as_matrix(frame: pl.DataFrame, names: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    from unisono.features.answers import matrix

    values = matrix(frame, names)
    assert nulls(values).sum() == sum(frame.get_column(name).null_count() for name in names)
    return values.view(np.int64)
