"""A log that is broken, cut, full or fought over: said, with its place, and never made worse."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import unisono as un
from tests.faults.logs import batch, flip, make, rows
from unisono.connect.log import Log, LogWriter
from unisono.connect.records import SEGMENT_HEADER
from unisono.connect.segments import encode_mark, read_mark


def segment(directory: Path) -> Path:
    return next(iter(sorted(directory.glob("*.segment"))))


def test_a_torn_tail_is_dropped_by_the_next_writer(tmp_path: Path) -> None:
    """A kill in the middle of an append: bytes are there, the mark does not know them."""
    make(tmp_path / "whole")
    size = segment(tmp_path / "whole").stat().st_size
    everything = make(tmp_path / "log", appends=4)
    mark = (tmp_path / "log" / "end").read_bytes()
    known = segment(tmp_path / "log").stat().st_size
    for torn in {known + 1, known + 63, known + 64, known + 65, size - 1}:
        shutil.copy(segment(tmp_path / "whole"), segment(tmp_path / "log"))
        os.truncate(segment(tmp_path / "log"), torn)
        (tmp_path / "log" / "end").write_bytes(mark)
        assert rows(Log(tmp_path / "log")) == everything
        LogWriter(tmp_path / "log").close()
        assert rows(Log(tmp_path / "log")) == everything
        assert segment(tmp_path / "log").stat().st_size == known


def test_a_whole_record_behind_the_mark_is_kept(tmp_path: Path) -> None:
    make(tmp_path / "whole")
    make(tmp_path / "log", appends=4)
    shutil.copy(segment(tmp_path / "whole"), segment(tmp_path / "log"))
    LogWriter(tmp_path / "log").close()
    assert rows(Log(tmp_path / "log")) == rows(Log(tmp_path / "whole"))


@pytest.mark.parametrize("place", ["header", "payload"])
def test_a_flipped_bit_is_an_error_that_names_segment_and_offset(tmp_path: Path, place: str) -> None:
    everything = make(tmp_path)
    mark = read_mark(tmp_path)
    assert mark is not None
    record = (mark.bytes - len(SEGMENT_HEADER)) // 5  # all five are equally long
    start = len(SEGMENT_HEADER) + 2 * record
    flip(segment(tmp_path), start + (10 if place == "header" else record - 40))
    for _ in range(2):  # a writer that opens it repairs nothing silently
        with pytest.raises(un.StateError, match=f"0.segment, offset {start}: .*broken; restore"):
            rows(Log(tmp_path))
        LogWriter(tmp_path).close()
    assert rows(Log(tmp_path), until=8) == everything[:8]


def test_a_segment_that_was_cut_is_an_error(tmp_path: Path) -> None:
    make(tmp_path)
    os.truncate(segment(tmp_path), segment(tmp_path).stat().st_size - 1)
    with pytest.raises(un.StateError, match="was cut"):
        LogWriter(tmp_path)
    with pytest.raises(un.StateError, match="is broken"):
        rows(Log(tmp_path))


def test_a_segment_that_is_gone_is_an_error(tmp_path: Path) -> None:
    make(tmp_path, segment_bytes=1)
    sorted(tmp_path.glob("*.segment"))[2].unlink()
    with pytest.raises(un.StateError, match="header is broken"):
        rows(Log(tmp_path))


def test_a_file_that_is_no_segment_is_an_error(tmp_path: Path) -> None:
    make(tmp_path)
    flip(segment(tmp_path), 0)
    with pytest.raises(un.StateError, match="offset 0: not a segment"):
        rows(Log(tmp_path))


def test_a_broken_mark_is_an_error(tmp_path: Path) -> None:
    make(tmp_path)
    flip(tmp_path / "end", 20)
    with pytest.raises(un.StateError, match="`end` is broken"):
        Log(tmp_path)


def test_a_position_behind_the_end_is_an_error(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(un.StateError, match="position 99 was asked for, but the log ends at 20"):
        rows(Log(tmp_path), 99)


def test_a_sound_record_with_a_senseless_payload_is_an_error(tmp_path: Path) -> None:
    from unisono.connect import records
    from unisono.spec.errors import StateError

    header = records.Header(0, 1, 3, records.BEGINNING, records.BEGINNING, 0)
    for payload in (b"abc", b"\x91\x93\xa1a\xc4\x00\xc4\x03abc"):
        with pytest.raises(StateError, match="here: a record with a sound checksum cannot be read"):
            records.decode(header, payload, place="here")


def test_a_second_writer_is_refused_and_says_who_writes(tmp_path: Path) -> None:
    with LogWriter(tmp_path), pytest.raises(un.StoreError, match=f"open for writing in process {os.getpid()}"):
        LogWriter(tmp_path)
    command = "import sys; from unisono.connect.log import LogWriter; LogWriter(sys.argv[1])"
    with LogWriter(tmp_path):
        other = subprocess.run([sys.executable, "-c", command, str(tmp_path)], capture_output=True, text=True)
        assert other.returncode == 1
        assert "open for writing in process" in other.stderr
    LogWriter(tmp_path).close()


@contextmanager
def _largest_file(size_bytes: int) -> Iterator[None]:
    """The system then refuses to write more into a file, as it does when a disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_may_not_grow_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    everything = make(tmp_path)
    size = segment(tmp_path).stat().st_size
    with LogWriter(tmp_path) as writer:
        with _largest_file(size + 100), pytest.raises(un.StoreError, match="no space is left; nothing was changed"):
            writer.append([batch("a", 100)])
        assert rows(Log(tmp_path)) == everything
        assert segment(tmp_path).stat().st_size == size
        assert writer.append([batch("a", 100)]) == 21


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_leaves_the_log_as_it_was(small_disk: Path) -> None:
    with LogWriter(small_disk / "log", segment_bytes=4096) as writer:
        writer.append([batch("a", 0)])
        written = 1
        with pytest.raises(un.StoreError, match="no space is left; nothing was changed"):
            while True:
                writer.append([batch("a", *[written] * 100)])
                written += 100
        assert len(rows(Log(small_disk / "log"))) == written
        assert writer.end.position == written
    LogWriter(small_disk / "log").close()
    assert len(rows(Log(small_disk / "log"))) == written


def test_a_mark_is_read_back(tmp_path: Path) -> None:
    make(tmp_path)
    mark = read_mark(tmp_path)
    assert mark is not None
    assert (tmp_path / "end").read_bytes() == encode_mark(mark)
