"""A sink that is full, or a database that restarts, half-way through a batch run: what is there stays, or is whole."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import unisono as un
from tests.faults.batches import BEFORE, make_batch_project, rows_of
from tests.postgres import Postgres
from unisono.connect.tables import sql, sql_sink
from unisono.drivers.batch import run_batch
from unisono.drivers.project import Project

ROWS = 3000
CHUNK = 500


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_batch_project(tmp_path_factory.mktemp("batch"), requests=ROWS)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def begun(project: Project, sink: str) -> None:
    """A sink that holds a few rows of a run before."""
    project.requests("risk").head(BEFORE).write_parquet("few.parquet")
    run_batch(project, "risk", "few.parquet", sink)


@pytest.fixture
def crowded(small_disk: Path) -> Callable[[], None]:
    """Fills a small disk up to a few kilobytes; what it returns makes room."""
    filler = small_disk / "filler"

    def free() -> None:
        filler.unlink()

    filler.write_bytes(b"x" * ((1 << 20) - 96 * 1024))
    return free


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("name", ["scores.parquet", "scores.csv", "scores/", "scores.ndjson"])
def test_a_full_disk_leaves_the_sink_as_it_was_and_the_run_goes_on_once_there_is_room(
    project: Project, small_disk: Path, crowded: Callable[[], None], name: str
) -> None:
    sink = f"{small_disk}/{name}"
    begun(project, sink)
    before = rows_of(sink, Path("read"))
    with pytest.raises(un.StoreError, match="make room"):
        run_batch(project, "risk", _wide(project), sink, chunk=CHUNK, keep=["user", "shop", "asked_at", "note"])
    assert rows_of(sink, Path("read")).equals(before)
    assert sorted(path.name for path in small_disk.iterdir()) == sorted(["filler", name.strip("/")])
    crowded()
    report = run_batch(project, "risk", _wide(project), sink, chunk=CHUNK, keep=["user", "shop", "asked_at", "note"])
    assert report.resumed_parts == report.parts
    assert rows_of(sink, Path("read")).height == ROWS


def _wide(project: Project) -> str:
    """Requests with a column that does not compress."""
    if not Path("wide.parquet").exists():
        notes = pl.Series("note", [os.urandom(60).hex() for _ in range(ROWS)])
        project.requests("risk").with_columns(notes).write_parquet("wide.parquet")
    return "wide.parquet"


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_store_that_is_full_stops_the_run_and_keeps_what_was_done(
    tmp_path: Path, small_disk: Path, crowded: Callable[[], None]
) -> None:
    project = make_batch_project(tmp_path / "p", requests=ROWS)
    (project.store_path / "batch").symlink_to(small_disk)
    begun(project, "scores.parquet")
    keep = ["user", "note"]
    with pytest.raises(un.StoreError, match="no space is left"):
        run_batch(project, "risk", _wide(project), "scores.parquet", chunk=100, keep=keep, cores=1)
    assert pl.read_parquet("scores.parquet").height == BEFORE
    crowded()
    report = run_batch(project, "risk", _wide(project), "scores.parquet", chunk=100, keep=keep)
    assert 0 < report.resumed_parts < report.parts
    answered = pl.read_parquet("scores.parquet")
    assert answered["probability"].equals(project.predict("risk")["probability"])


@pytest.fixture
def table(postgres: Postgres, project: Project) -> Iterator[str]:
    """A table of a database, with a few rows."""
    sink = f"{postgres.database()}#scores"
    begun(project, sink)
    yield sink


@pytest.fixture
def expected(project: Project) -> pl.DataFrame:
    run_batch(project, "risk", None, "undisturbed.parquet")
    return rows_of("undisturbed.parquet", Path("read"))


def at_the_third_part(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Let something happen, once, after two parts were sent to a database."""
    send, sent = sql_sink._add, []

    def and_then(*given: Any) -> None:
        sent.append(given)
        if len(sent) == 3:
            happens()
        send(*given)

    monkeypatch.setattr(sql_sink, "_add", and_then)


@pytest.mark.slow
def test_a_database_that_restarts_half_way_has_the_whole_result(
    project: Project, table: str, expected: pl.DataFrame, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    def restart() -> None:
        postgres.stop()
        postgres.start()

    at_the_third_part(monkeypatch, restart)
    report = run_batch(project, "risk", None, table, chunk=CHUNK)
    assert report.new_rows == ROWS
    assert rows_of(table, Path("read")).equals(expected)
    assert run_batch(project, "risk", None, table, chunk=CHUNK).is_repeated


@pytest.mark.slow
def test_a_database_that_stays_away_has_what_it_had_and_the_run_goes_on_later(
    project: Project, table: str, expected: pl.DataFrame, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "PAUSES_S", (0.01, 0.01))
    with monkeypatch.context() as during:
        at_the_third_part(during, postgres.stop)
        with pytest.raises(un.StoreError, match=r"the database says: .*; nothing was changed") as refused:
            run_batch(project, "risk", None, table, chunk=CHUNK)
    assert "correct-horse" not in str(refused.value)
    postgres.start()
    assert rows_of(table, Path("read")).height == BEFORE
    report = run_batch(project, "risk", None, table, chunk=CHUNK)
    assert report.resumed_parts == report.parts
    assert rows_of(table, Path("read")).equals(expected)


@pytest.mark.slow
def test_a_source_is_waited_for(project: Project, postgres: Postgres, expected: pl.DataFrame) -> None:
    source = f"{postgres.database()}#requests"
    run_batch(project, "risk", None, source)
    postgres.stop()
    starts = threading.Timer(0.3, postgres.start)
    starts.start()
    run_batch(project, "risk", source, "scores.parquet")
    starts.join()
    assert rows_of("scores.parquet", Path("read")).equals(expected)


@pytest.mark.slow
def test_two_projects_that_write_one_table_leave_one_whole_result(
    project: Project, table: str, expected: pl.DataFrame, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(project.root, tmp_path / "other")
    projects = [project, un.load(tmp_path / "other")]
    threads = [threading.Thread(target=run_batch, args=(one, "risk", None, table)) for one in projects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows_of(table, Path("read")).equals(expected)
