"""Every answer is in the prediction log, with every bit; the log never makes an answer wait."""

from __future__ import annotations

import logging
import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from tests.drivers.schedule.worlds import wait_for
from tests.faults.conftest import small_disk  # noqa: F401 (a fixture)
from tests.serving.operations.answers import COLUMNS, PLAN, answered, known, outputs
from unisono.drivers.online.reading import Known
from unisono.drivers.serving.batches import Batch
from unisono.drivers.serving.operations.blocks import HEAD
from unisono.drivers.serving.operations.channel import DROPPED, LOST, WRITTEN, Channel
from unisono.drivers.serving.operations.prediction_log import PredictionLog
from unisono.drivers.serving.operations.rotation import Rotation
from unisono.drivers.serving.operations.writer_process import WriterProcess
from unisono.drivers.serving.settings import Log
from unisono.spec.errors import ModelError, StoreError
from unisono.store.predictions import feature_matrix
from unisono.store.served import path_of, prune, read_served

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
ROOM = 1 << 20


class Held(Channel):
    """A channel that sends nothing, and shows what it holds."""

    def __init__(self, room: int = ROOM) -> None:
        self.counts: Counter[str] = Counter()
        super().__init__("/nowhere", room, lambda name, rows: self.counts.update({name: rows}))

    def push(self) -> None:
        pass

    @property
    def blocks(self) -> list[tuple[bytes, int]]:
        return [(bytes(frame[HEAD.size :]), HEAD.unpack_from(frame)[1]) for frame in self._frames]


class Owner:
    """Hears what became of its rows."""

    def __init__(self) -> None:
        self.written = self.failed = 0

    def settle(self, written: int, failed: int) -> None:
        self.written += written
        self.failed += failed


def watcher(channel: Channel) -> PredictionLog:
    return PredictionLog([PLAN], channel, clock=lambda: int(NOON.timestamp() * 1e6))


def written(directory: Path, *batches: Batch) -> pl.DataFrame:
    """The prediction log of some batches, all at once."""
    channel, rotation, owner = Held(), Rotation(directory, Log()), Owner()
    log = watcher(channel)
    for batch in batches:
        log.answered("risk", batch)
    log.tick()
    for block, count in channel.blocks:
        rotation.take(block, count, owner)
    rotation.close()
    rows = read_served(directory / "risk", details=True)
    assert rows is not None and owner.written == rows.height
    return rows


def files(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*.parquet"))


# What is written ------------------------------------------------------------------------------------------------------


def test_every_type_comes_back_as_it_was(tmp_path: Path) -> None:
    rows = written(tmp_path, answered([0], [1, 2], [3], ids=["a", "b", ""]), answered([4, 5, 6]))
    assert rows.columns == [
        *COLUMNS,
        *("position", "version", "features", "prediction.score", "prediction.label", "prediction.vector"),
        *("served.at", "served.request_id", "served.shadow"),
    ]
    assert rows.get_column("user").to_list() == ["u0 ü", "u1 ü", "", "u3 ü", "u4 ü", "", "u6 ü"]
    assert rows.get_column("shop").to_list() == [0, -1, None, -3, -4, None, -6]
    assert rows.get_column("weight").to_list() == [0.0, 1 / 7, None, 3 / 7, 4 / 7, None, 6 / 7]
    assert rows.get_column("ok").to_list() == [True, False, None, False, True, None, True]
    assert rows.get_column("price").to_list() == [
        None if number % 3 == 2 else Decimal(number * 101) / 100 for number in range(7)
    ]
    assert rows.schema["price"] == pl.Decimal(scale=2, precision=rows.schema["price"].precision)  # type: ignore[attr-defined]
    assert rows.schema["when"] == rows.schema["asked_at"] == pl.Datetime("us", "UTC")
    assert rows.get_column("when").null_count() == 2
    assert rows.get_column("asked_at").to_physical().to_list() == [1_700_000_000_000_000 + n for n in range(7)]
    assert (rows.get_column("image").to_numpy() == np.arange(7).reshape(7, 1, 1)).all()
    assert rows.schema["image"] == pl.Array(pl.UInt8, (2, 3))


def test_what_was_known_and_answered_comes_back_with_every_bit(tmp_path: Path) -> None:
    rows = written(tmp_path, answered([0], [1, 2], ids=["a", ""]), answered([3, 4], version="v2", shadow=True))
    wanted = np.concatenate([known([0]).features, known([1, 2]).features, known([3, 4]).features])
    assert feature_matrix(rows, 2).tobytes() == wanted.tobytes()
    assert rows.get_column("position").to_list() == [1000, 1001, 1001, 1003, 1003]
    assert rows.get_column("version").to_list() == ["v1", "v1", "v1", "v2", "v2"]
    assert rows.get_column("prediction.score").to_numpy().tobytes() == outputs(range(5))["score"].tobytes()
    assert rows.get_column("prediction.label").to_list() == [f"class {number}" for number in range(5)]
    assert rows.get_column("prediction.vector").to_list() == [[float(number), float(-number)] for number in range(5)]
    assert rows.get_column("served.at").to_list() == [NOON] * 5
    assert rows.get_column("served.request_id").to_list() == ["a", "", "", "", ""]
    assert rows.get_column("served.shadow").to_list() == [False, False, False, True, True]


def test_what_was_looked_up_together_is_written_down_call_by_call(tmp_path: Path) -> None:
    apart = answered([0], [1, 2], [3], ids=["a", "b", ""])
    parts = apart.known
    together = Known(
        [row for one in parts for row in one.rows],
        [time for one in parts for time in one.times],
        np.concatenate([one.features for one in parts]),
        parts[0].position,
    )
    rows = written(tmp_path / "together", msgspec.structs.replace(apart, together=together))
    assert rows.get_column("position").to_list() == [1000] * 4
    assert rows.get_column("served.request_id").to_list() == ["a", "b", "b", ""]
    assert rows.drop("position").equals(written(tmp_path / "apart", apart).drop("position"))


def test_numbers_come_back_in_their_order_whether_or_not_one_of_a_block_is_null(tmp_path: Path) -> None:
    batches = [answered([number], version=f"v{number}") for number in range(7)]  # a version is a block
    rows = written(tmp_path, *batches)
    expected = [None if number % 3 == 2 else number / 7 for number in range(7)]
    assert rows.get_column("weight").to_list() == expected
    assert rows.get_column("version").to_list() == [f"v{number}" for number in range(7)]


def test_without_details_there_are_the_columns_of_predictions_and_no_answer_of_a_shadow(tmp_path: Path) -> None:
    written(tmp_path, answered([0]), answered([1], version="v2", shadow=True))
    rows = read_served(tmp_path / "risk")
    assert rows is not None
    assert rows.columns[-3:] == ["prediction.score", "prediction.label", "prediction.vector"]
    assert rows.get_column("version").to_list() == ["v1"]


def test_rows_that_the_model_failed_on_have_no_answer_to_write_down(tmp_path: Path) -> None:
    batch = answered([0], [1], [2])
    batch.outputs = None
    batch.alone = [outputs([0]), ModelError("it failed"), outputs([2])]
    assert written(tmp_path, batch).get_column("position").to_list() == [1000, 1002]


def test_a_version_with_other_outputs_is_in_a_file_of_its_own_and_in_the_same_frame(tmp_path: Path) -> None:
    other = msgspec.structs.replace(answered([1], version="v2"), outputs={"chance": np.array([0.5])})
    rows = written(tmp_path, answered([0]), other)
    assert len(files(tmp_path)) == 2
    assert rows.sort("position").get_column("prediction.chance").to_list() == [None, 0.5]


def test_files_that_cannot_be_one_frame_are_refused_with_what_to_do(tmp_path: Path) -> None:
    written(tmp_path, answered([0]))
    column = pl.DataFrame({"image": ["text"], "served.shadow": [False]})
    column.write_parquet(files(tmp_path)[0].with_name("000000-1.parquet"))
    with pytest.raises(StoreError, match=r"different definitions .* move the files of the earlier definition"):
        read_served(tmp_path / "risk")


# When it is written ---------------------------------------------------------------------------------------------------


def test_many_answers_are_packed_at_once_and_few_at_the_next_tick() -> None:
    channel = Held()
    log = watcher(channel)
    for number in range(63):
        log.answered("risk", answered([number]))
    assert channel.blocks == []
    log.answered("risk", answered([63]))
    assert [rows for _, rows in channel.blocks] == [64]
    log.answered("risk", answered([64]))
    log.tick()
    assert [rows for _, rows in channel.blocks] == [64, 1]


def test_a_file_is_written_by_rows_by_bytes_and_by_age(tmp_path: Path) -> None:
    now_s = 0.0
    settings = Log(flush_s=10, file_rows=100, file_bytes=20_000)
    rotation, owner, channel = Rotation(tmp_path, settings, clock=lambda: now_s), Owner(), Held()
    log = watcher(channel)
    for start in range(0, 60, 20):
        log.answered("risk", answered(range(start, start + 20)))
        log.tick()
    block, rows = channel.blocks[0]
    rotation.take(block, rows, owner)
    now_s = 9.9
    rotation.turn()
    assert (owner.written, round(rotation.wait_s, 3)) == (0, 0.1)
    now_s = 10.0
    rotation.turn()
    assert (owner.written, len(files(tmp_path))) == (20, 1)
    for _ in range(5):
        rotation.take(block, rows, owner)
    assert (owner.written, len(files(tmp_path))) == (120, 2)
    for _ in range(20_000 // len(block) + 1):
        rotation.take(block, 1, owner)
    assert len(files(tmp_path)) == 3


def test_a_file_has_its_rows_in_order_however_many_times_they_were_unpacked(tmp_path: Path) -> None:
    rows = written(tmp_path, *(answered(range(start, start + 50)) for start in range(0, 10_000, 50)))
    assert len(files(tmp_path)) == 1
    assert rows.get_column("prediction.label").to_list() == [f"class {number}" for number in range(10_000)]


def test_many_predictors_have_no_more_memory_than_a_few(tmp_path: Path) -> None:
    channel, owner = Held(), Owner()
    names = [f"risk{number}" for number in range(5)]
    log = PredictionLog([replace(PLAN, name=name) for name in names], channel)
    for name in names:
        log.answered(name, answered([1]))
        log.tick()
    (first, _), *others = channel.blocks
    rotation = Rotation(tmp_path, Log(file_bytes=3 * len(first) + 1))
    for block, rows in [channel.blocks[0], channel.blocks[0], channel.blocks[0], *others * 2]:
        rotation.take(block, rows, owner)
    assert owner.written == 0
    rotation.take(*others[0], owner)
    rotation.take(*others[1], owner)
    assert (owner.written, [path.parents[1].name for path in files(tmp_path)]) == (3, ["risk0"])


def test_what_is_too_old_is_deleted_by_days_and_by_bytes(tmp_path: Path) -> None:
    paths = [path_of(tmp_path, NOON - timedelta(days=age, seconds=-n), "1-1") for age in (3, 2, 1, 0) for n in (0, 1)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(100))
    assert files(tmp_path) == sorted(paths)
    assert prune(tmp_path, today=date(2026, 11, 26), keep_days=None, keep_bytes=None) == 0
    assert prune(tmp_path, today=date(2026, 11, 26), keep_days=2, keep_bytes=None) == 200
    assert files(tmp_path) == sorted(paths[2:])
    assert prune(tmp_path, today=date(2026, 11, 26), keep_days=2, keep_bytes=350) == 300
    assert files(tmp_path) == sorted(paths[5:])


def test_the_writer_deletes_what_is_too_old(tmp_path: Path) -> None:
    written(tmp_path, answered([0]))
    rotation = Rotation(tmp_path, Log(keep_days=1), now=lambda: NOON + timedelta(days=9))
    rotation.turn()
    assert files(tmp_path) == []


def test_what_a_killed_writer_had_begun_is_deleted_after_an_hour(tmp_path: Path) -> None:
    written(tmp_path, answered([0]))
    begun = files(tmp_path)[0].with_name(".120000.000000-1-1.parquet.1.partial")
    begun.touch()
    touched = datetime.fromtimestamp(begun.stat().st_mtime, UTC)
    for age, is_there in ((timedelta(minutes=59), True), (timedelta(minutes=61), False)):
        Rotation(tmp_path, Log(), now=lambda age=age: touched + age).turn()  # type: ignore[misc]
        assert begun.exists() == is_there
    assert len(files(tmp_path)) == 1


# When something is wrong ----------------------------------------------------------------------------------------------


def test_rows_that_cannot_be_packed_are_not_tried_again() -> None:
    channel = Held()
    log = watcher(channel)
    broken = answered([0])
    broken.known = [Known([(object(),)], [0], known([0]).features, 0)]  # type: ignore[list-item]
    log.answered("risk", broken)
    with pytest.raises(AttributeError):
        log.tick()
    log.answered("risk", answered([1]))
    log.tick()
    assert [rows for _, rows in channel.blocks] == [1]


def test_what_a_full_buffer_cannot_take_is_dropped_and_counted() -> None:
    channel = Held(room=100)
    log = watcher(channel)
    for start in range(0, 640, 64):
        log.answered("risk", answered(range(start, start + 64)))
    assert len(channel.blocks) == 1
    assert channel.counts == {DROPPED: 576}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_costs_rows_is_said_once_a_minute_and_ends_with_room(
    small_disk: Path,  # noqa: F811 (the fixture)
    caplog: pytest.LogCaptureFixture,
) -> None:
    now_s = 0.0
    rotation, owner, channel = Rotation(small_disk, Log(file_rows=1), clock=lambda: now_s), Owner(), Held()
    log = watcher(channel)
    log.answered("risk", answered([1, 2]))
    log.tick()
    block, rows = channel.blocks[0]
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as file:
        while True:
            assert file.write(bytes(4096)) == 4096
    for _ in range(3):
        rotation.take(block, rows, owner)
        rotation.turn()
    assert (owner.written, owner.failed, files(small_disk)) == (0, 6, [])
    assert len(caplog.records) == 1 and "2 rows were not written down" in caplog.text
    assert "make room" in caplog.text
    now_s = 61.0
    rotation.turn()
    assert len(caplog.records) == 2 and "4 rows were not written down" in caplog.records[1].message
    filler.unlink()
    rotation.take(block, rows, owner)
    assert (owner.written, len(files(small_disk))) == (2, 1)


# Processes ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[WriterProcess]:
    process = WriterProcess(tmp_path / "served", Log(flush_s=0.05))
    yield process
    process.stop(20)


def counted(writer: WriterProcess) -> tuple[Channel, Counter[str]]:
    counts: Counter[str] = Counter()
    return Channel(writer.address, ROOM, lambda name, rows: counts.update({name: rows})), counts


def ticked(*logs: PredictionLog) -> bool:
    for log in logs:
        log.tick()
    return True


@pytest.mark.slow
def test_the_rows_of_two_workers_are_written_while_they_answer(writer: WriterProcess, tmp_path: Path) -> None:
    workers = [counted(writer), counted(writer)]
    logs = [watcher(channel) for channel, _ in workers]
    for number in range(300):
        logs[number % 2].answered("risk", answered([number]))

    wait_for(lambda: ticked(*logs) and all(channel.is_settled for channel, _ in workers))
    assert [counts for _, counts in workers] == [Counter({WRITTEN: 150, LOST: 0})] * 2
    rows = read_served(tmp_path / "served" / "risk")
    assert rows is not None
    assert sorted(rows.get_column("position").to_list()) == list(range(1000, 1300))
    for log in logs:
        log.close()


@pytest.mark.slow
def test_a_writer_that_is_killed_loses_what_it_had_not_written_and_that_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process = WriterProcess(tmp_path / "served", Log(flush_s=1000, file_rows=100))
    channel, counts = counted(process)
    log = watcher(channel)
    log.answered("risk", answered(range(100)))
    wait_for(lambda: ticked(log) and channel.is_settled)
    log.answered("risk", answered(range(100, 150)))
    log.tick()
    assert not channel.is_settled
    os.kill(process.pid, signal.SIGKILL)
    wait_for(process.ensure)
    assert "another one is started" in caplog.text
    wait_for(lambda: ticked(log) and counts[LOST] > 0)
    assert counts == {WRITTEN: 100, LOST: 50}
    log.answered("risk", answered([200]))
    log.close()
    process.stop(20)
    rows = read_served(tmp_path / "served" / "risk")
    assert rows is not None
    assert rows.get_column("position").to_list() == [1000] * 100 + [1200]
    assert not Path(process.address).parent.exists()


@pytest.mark.slow
def test_a_writer_that_stands_still_makes_nobody_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, writer: WriterProcess
) -> None:
    channel, counts = counted(writer)
    log = watcher(channel)
    log.answered("risk", answered([0]))
    wait_for(lambda: ticked(log) and channel.is_settled)
    os.kill(writer.pid, signal.SIGSTOP)
    try:
        for start in range(0, 64_000, 64):
            log.answered("risk", answered(range(start, start + 64)))
        assert channel.is_full and counts[DROPPED] > 0
        dropped = counts[DROPPED]
    finally:
        os.kill(writer.pid, signal.SIGCONT)
    wait_for(lambda: ticked(log) and channel.is_settled)
    assert counts[WRITTEN] + dropped == 64_001
    log.close()


def test_a_worker_without_a_writer_keeps_what_there_is_room_for(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    channel = Channel(str(tmp_path / "nobody"), ROOM, lambda name, rows: counts.update({name: rows}))
    log = watcher(channel)
    log.answered("risk", answered(range(10)))
    log.tick()
    assert not channel.is_settled and counts[DROPPED] == 0
    log.close()
    assert counts[DROPPED] == 10


@pytest.mark.parametrize("rows", [5, 5000])
def test_lost_rows_are_logged_as_errors(tmp_path: Path, caplog: pytest.LogCaptureFixture, rows: int) -> None:
    rotation, owner = Rotation(tmp_path, Log()), Owner()
    rotation.take(b"\x92\xa4risk\xc0", rows, owner)
    rotation.close()
    assert (owner.written, owner.failed) == (0, rows)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert f"{rows} rows were not written down: risk: " in caplog.text
