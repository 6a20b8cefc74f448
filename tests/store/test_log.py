"""The embedded log: order, positions, readers beside the writer."""

from __future__ import annotations

from pathlib import Path

import pytest

import unisono as un
from tests.faults.logs import batch, make, rows
from unisono.connect.log import Log, LogWriter
from unisono.connect.records import REQUEST


def test_rows_are_in_the_order_of_time_and_events_come_before_requests(tmp_path: Path) -> None:
    with LogWriter(tmp_path) as writer:
        end = writer.append([batch("ask", 1, 2, rank=REQUEST), batch("a", 1, 2, 2), batch("b", 0, 2)])
    texts = [text for _, text in rows(Log(tmp_path))]
    assert texts == ["b0", "a1", "ask1", "a2", "a2", "b2", "ask2"]
    assert end == 7


def test_reading_begins_and_ends_at_any_position(tmp_path: Path) -> None:
    everything = make(tmp_path)
    assert [position for position, _ in everything] == list(range(20))
    for position in range(21):
        for until in range(position, 21):
            assert rows(Log(tmp_path), position, until=until) == everything[position:until]


def test_a_log_goes_on_over_many_segments_and_writers(tmp_path: Path) -> None:
    everything = make(tmp_path / "small", segment_bytes=1)
    assert len(list((tmp_path / "small").glob("*.segment"))) == 5
    assert everything == make(tmp_path / "large")
    with LogWriter(tmp_path / "small") as writer:
        assert writer.append([batch("a", 100)]) == 21
    assert rows(Log(tmp_path / "small"), 19)[-1] == (20, "a100")


def test_a_reader_sees_each_append_at_once(tmp_path: Path) -> None:
    with LogWriter(tmp_path) as writer:
        log = Log(tmp_path)
        for time in range(5):
            writer.append([batch("a", time)])
            assert log.end.position == len(rows(log)) == time + 1


def test_an_empty_append_changes_nothing(tmp_path: Path) -> None:
    with LogWriter(tmp_path) as writer:
        assert writer.append([]) == writer.append([batch("a")]) == 0


@pytest.mark.parametrize(
    ("late", "message"),
    [
        (batch("a", 4), "lies before the end of the log; allowed: 1970-01-01T00:00:00.000005 or later"),
        (batch("a", 5), "after a request of that instant"),
        (batch("a", 7, 6), "topic a, row 1: time 6 is before that of the row above, 7"),
    ],
)
def test_a_row_that_belongs_before_the_end_is_refused(tmp_path: Path, late: object, message: str) -> None:
    with LogWriter(tmp_path) as writer:
        writer.append([batch("ask", 5, rank=REQUEST)])
        with pytest.raises(un.InputError, match=message):
            writer.append([late])  # type: ignore[list-item]
        assert writer.append([batch("ask", 5, rank=REQUEST)]) == 2


@pytest.mark.parametrize("segment_bytes", [1, 1 << 20])
def test_a_log_can_be_cut_between_appends_and_only_there(tmp_path: Path, segment_bytes: int) -> None:
    everything = make(tmp_path, segment_bytes=segment_bytes)
    with LogWriter(tmp_path, segment_bytes=segment_bytes) as writer:
        with pytest.raises(un.StateError, match="no append ended there"):
            writer.truncate(9)
        with pytest.raises(un.StateError, match="no append ended there"):
            writer.truncate(24)
        for position in (20, 12, 8, 0):
            writer.truncate(position)
            assert rows(Log(tmp_path)) == everything[:position]
        writer.append([batch("a", 0)])
    assert rows(Log(tmp_path)) == [(0, "a0")]


def test_there_is_no_log_before_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(un.StoreError, match="there is no log"):
        Log(tmp_path / "nowhere")
