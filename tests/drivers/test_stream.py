"""The stream driver: its features are those of the point-in-time frame, however it is fed, stopped and continued."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import unisono as un
from tests.drivers.logs import VIEWS, columns_as_matrix, make_world, same_bits
from tests.drivers.streams import Adder, grow, ready, write_log
from unisono.connect.log import Log
from unisono.drivers import fold
from unisono.drivers.stream import StreamRun
from unisono.store.predictions import feature_matrix, output_names


def answers(directory: Path) -> pl.DataFrame:
    blocks = Log(directory / "predictions").read()
    return pl.concat(part.frame for block in blocks for part in block.parts)


def wanted(world: object) -> pl.DataFrame:
    return un.point_in_time(VIEWS, world.requests, world.events, time="asked_at")  # type: ignore[attr-defined]


@pytest.mark.parametrize("batch", [1, 50, 100_000])
def test_the_stream_answers_what_the_frame_says(tmp_path: Path, batch: int) -> None:
    world = make_world(21)
    log = write_log(tmp_path / "log", world, segment_bytes=1)
    with StreamRun(ready(), log, Adder(), tmp_path / "run", mode="temporary") as run:
        report = run.advance(batch=batch)
    rows = answers(tmp_path / "run")
    frame = wanted(world).sort("asked_at", maintain_order=True)
    assert rows.get_column("note").equals(frame.get_column("note"))
    features = [name for view in VIEWS for name in view.feature_names]
    assert (feature_matrix(rows, len(features)).view(np.int64) == columns_as_matrix(frame, features)).all()
    assert (report.requests, report.rows, report.stopped) == (120, log.end.position, False)
    assert output_names(rows.columns) == ["prediction", "large"]
    assert rows.get_column("position").is_sorted() and rows.get_column("version").unique().to_list() == ["adder"]


@pytest.mark.slow
@pytest.mark.parametrize("most_keys", [2_000_000, 1])
def test_a_stream_that_is_stopped_everywhere_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_keys: int
) -> None:
    """Each run goes on from the states that the last one stored; few keys in memory only cost time."""
    monkeypatch.setattr(fold, "MOST_KEYS", most_keys)
    log = write_log(tmp_path / "log", make_world(22, events=150, requests=60))
    with StreamRun(ready(), log, Adder(), tmp_path / "whole", mode="temporary") as run:
        run.advance()
    for until in range(0, log.end.position + 10, 10):
        with StreamRun(ready(), log, Adder(), tmp_path / "parts", mode="temporary") as run:
            run.advance(batch=3, until=until)
    assert same_bits(answers(tmp_path / "parts"), answers(tmp_path / "whole"))


def test_a_stream_follows_a_log_that_grows(tmp_path: Path) -> None:
    world = make_world(23)
    more = grow(world, 1)
    log = write_log(tmp_path / "log", world)
    with StreamRun(ready(), log, Adder(), tmp_path / "run", mode="temporary") as run:
        run.advance()
        write_log(tmp_path / "log", more)
        assert run.advance().requests == 3
    frame = wanted(more).sort("asked_at", maintain_order=True)
    features = [name for view in VIEWS for name in view.feature_names]
    seen = feature_matrix(answers(tmp_path / "run"), len(features))
    assert (seen.view(np.int64) == columns_as_matrix(frame, features)).all()


def test_it_can_be_asked_to_stop_and_says_how_far_it_came(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", make_world(24))
    said: list[tuple[str, int, int | None]] = []
    with StreamRun(ready(), log, Adder(), tmp_path / "run", mode="temporary") as run:
        report = run.advance(batch=10, should_stop=lambda: len(said) == 3, progress=lambda *step: said.append(step))
    assert report.stopped and report.position == 30
    assert said == [("streaming", done, log.end.position) for done in (10, 20, 30)]


def test_without_someone_who_answers_only_the_state_is_kept(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", make_world(25))
    with StreamRun(ready(), log, None, tmp_path / "run", mode="temporary") as run:
        run.advance()
        assert run.store.last.position == log.end.position
    assert Log(tmp_path / "run" / "predictions").end.position == 0


def test_a_log_shorter_than_the_state_is_refused(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", make_world(26))
    with StreamRun(ready(), log, Adder(), tmp_path / "run", mode="temporary") as run:
        run.advance()
    short = write_log(tmp_path / "short", make_world(26, events=20, requests=5))
    with pytest.raises(un.StateError, match="but the log ends at"):
        StreamRun(ready(), short, Adder(), tmp_path / "run", mode="temporary")
