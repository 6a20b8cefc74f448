"""The in-memory entry points: equal to the reference, and to each other."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import unisono as un
from tests.drivers.logs import VIEWS, World, columns_as_matrix, expected, make_world, same_bits
from unisono.connect.stored import StoredParquet


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2 if os.environ.get("UNISONO_ROUNDS") == "quick" else 6))
def test_point_in_time_is_what_the_reference_says_bit_for_bit(seed: int) -> None:
    world = make_world(seed)
    frame = un.point_in_time(VIEWS, world.requests, world.events, time="asked_at")
    assert frame.columns[: world.requests.width] == world.requests.columns
    for view in VIEWS:
        wanted = expected(view, world).view(np.int64)
        differing = np.argwhere(columns_as_matrix(frame, view.feature_names) != wanted)
        assert not len(differing), (view.feature_names[differing[0][1]], frame[int(differing[0][0])].to_dicts())


@pytest.mark.parametrize("batch", [1, 7, 64, 10_000])
def test_the_union_of_a_stream_is_the_point_in_time_frame_whatever_the_batch(batch: int) -> None:
    world = make_world(11)
    frame = un.point_in_time(VIEWS, world.requests, world.events, time="asked_at")
    pieces = list(un.stream(VIEWS, world.requests, world.events, time="asked_at", batch=batch))
    assert len(pieces) > 1 or batch > 64
    assert same_bits(pl.concat(pieces).sort("note"), frame.sort("note"))


def test_the_order_of_requests_is_kept() -> None:
    world = make_world(5)
    frame = un.point_in_time(VIEWS, world.requests, world.events, time="asked_at")
    assert frame.select(world.requests.columns).equals(world.requests)


def test_several_cores_give_the_bits_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import unisono.drivers.memory as memory

    world = make_world(7, events=900, requests=400, users=20)
    alone = un.point_in_time(VIEWS, world.requests, world.events, time="asked_at")
    monkeypatch.setattr(memory, "_WORTH_THREADS", 1)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: range(5))
    assert same_bits(un.point_in_time(VIEWS, world.requests, world.events, time="asked_at"), alone)


@pytest.mark.slow
def test_no_events_and_no_requests_give_empty_windows_and_an_empty_frame() -> None:
    world = make_world(1)
    none = {name: frame.clear() for name, frame in world.events.items()}
    frame = un.point_in_time(VIEWS, world.requests, none, time="asked_at")
    assert frame.get_column("by_user__count_1h").to_list() == [0.0] * world.requests.height
    assert frame.get_column("by_user__cents_mean_1h").null_count() == world.requests.height
    assert un.point_in_time(VIEWS, world.requests.clear(), world.events, time="asked_at").height == 0
    assert list(un.stream(VIEWS, world.requests.clear(), world.events, time="asked_at")) == []


@pytest.mark.parametrize("shuffled", [False, True])
def test_events_in_parquet_files_give_the_same(tmp_path: Path, shuffled: bool) -> None:
    world = make_world(5)
    events = {name: table.sample(fraction=1, shuffle=shuffled, seed=1) for name, table in world.events.items()}
    frame = un.point_in_time(VIEWS, world.requests, events, time="asked_at")
    for name, table in events.items():
        table.write_parquet(tmp_path / f"{name}.parquet", row_group_size=37)
    stored = {name: str(tmp_path / f"{name}.parquet") for name in events}
    assert same_bits(un.point_in_time(VIEWS, world.requests, stored, time="asked_at"), frame)


def test_a_file_of_events_that_is_missing_or_no_parquet_or_changes_is_refused(tmp_path: Path) -> None:
    world, path = make_world(5), tmp_path / "logins.parquet"
    view = VIEWS[2:]
    with pytest.raises(un.StoreError, match=r"logins\.parquet: there is no such file"):
        un.point_in_time(view, world.requests, {"logins": path}, time="asked_at")
    path.write_text("user,at\n")
    with pytest.raises(un.InputError, match=r"logins\.parquet: not readable"):
        un.point_in_time(view, world.requests, {"logins": path}, time="asked_at")
    world.events["logins"].write_parquet(path)
    stored = StoredParquet(path)
    world.events["logins"].head(3).write_parquet(path)
    with pytest.raises(un.InputError, match=r"logins\.parquet: changed while it was read"):
        stored.read(stored.columns)


def test_frames_of_other_libraries_give_the_same() -> None:
    import duckdb
    import pandas as pd

    world = make_world(3)
    frame = un.point_in_time(VIEWS, world.requests, world.events, time="asked_at")
    tables = {name: events.to_arrow() for name, events in world.events.items()}
    assert same_bits(un.point_in_time(VIEWS, world.requests.to_arrow(), tables, time="asked_at"), frame)
    # pandas has NaN for null in floats, so only columns without NaN are asked for.
    logins = VIEWS[2:]
    asked = pd.DataFrame(world.requests.to_dict(as_series=False))
    some = un.point_in_time(logins, asked, {"logins": world.events["logins"].to_arrow()}, time="asked_at")
    assert same_bits(some.select(logins[0].feature_names), frame.select(logins[0].feature_names))
    events = world.events["logins"]
    with duckdb.connect() as connection:
        relation = connection.sql("select * from events")
        some = un.point_in_time(logins, world.requests, {"logins": relation}, time="asked_at")
    assert same_bits(some, frame.select(*world.requests.columns, *logins[0].feature_names))
    assert events.height


BAD: dict[str, tuple[Callable[[World], tuple[Any, Any, Any]], str]] = {
    "no frame of a source": (lambda w: (VIEWS, w.requests, {"taps": w.events["taps"]}), 'no frame for source "logins"'),
    "not a frame": (lambda w: (VIEWS, [1], w.events), "PyCapsule"),
    "no time column": (lambda w: (VIEWS, w.requests.rename({"asked_at": "when"}), w.events), 'column "asked_at"'),
    "no key column": (lambda w: (VIEWS, w.requests.drop("shop"), w.events), 'requests, column "shop"'),
    "an event column is missing": (
        lambda w: (VIEWS, w.requests, {**w.events, "taps": w.events["taps"].rename({"cents": "cent"})}),
        'events of source taps, column "cents": there is no such column',
    ),
    "a wrong dtype": (
        lambda w: (VIEWS, w.requests, {**w.events, "taps": w.events["taps"].cast({"cents": pl.String})}),
        'column "cents": dtype String; allowed: Decimal(2)',
    ),
    "a request without a key": (
        lambda w: (VIEWS, w.requests.with_columns(user=pl.lit(None, pl.String)), w.events),
        'requests, column "user", row 0: no value',
    ),
    "a missing event time": (
        lambda w: (VIEWS, w.requests, {**w.events, "taps": w.events["taps"].with_columns(at=None)}),
        'events of source taps, column "at", row 0: no value',
    ),
    "two views of one name": (lambda w: ([*VIEWS, VIEWS[0]], w.requests, w.events), "a second view by_user"),
    "a request column called like a feature": (
        lambda w: (VIEWS, w.requests.with_columns(by_user__count_1h=1), w.events),
        "a feature has this name",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name: str) -> None:
    make, message = BAD[name]
    views, requests, events = make(make_world(2, events=20, requests=5))
    with pytest.raises(un.UnisonoError) as caught:
        un.point_in_time(views, requests, events, time="asked_at")
    assert message in str(caught.value)


def test_a_batch_of_no_events_is_refused() -> None:
    world = make_world(2, events=20, requests=5)
    with pytest.raises(un.InputError, match="batch: 0"):
        next(un.stream(VIEWS, world.requests, world.events, time="asked_at", batch=0))
