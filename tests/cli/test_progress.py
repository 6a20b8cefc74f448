from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator

import pytest

from unisono.cli.progress import LINE_EVERY_S, Lines, progress

REPORTS = """
from unisono.cli.progress import progress
with progress(quiet={quiet}) as report:
    for done in range(0, 1001, 100):
        report("requests", done, 1000)
    report("training", 0, None)
"""


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_off_a_terminal_a_line_comes_now_and_then_with_rate_and_time_left(clock: Clock) -> None:
    stream = io.StringIO()
    lines = Lines(stream, clock=clock)
    for done in range(0, 5001, 1000):
        lines.report("requests", done, 20_000)
        clock.now_s += LINE_EVERY_S / 4
    assert stream.getvalue() == "requests: 4,000 of 20,000 (20 %), 400/s, 40 s left\n"


def test_what_is_done_quickly_prints_no_line(clock: Clock) -> None:
    stream = io.StringIO()
    lines = Lines(stream, clock=clock)
    for done in range(100):
        lines.report("requests", done, 100)
    assert stream.getvalue() == ""


def test_a_run_that_goes_on_is_rated_by_what_it_did_itself(clock: Clock) -> None:
    stream = io.StringIO()
    lines = Lines(stream, clock=clock)
    lines.report("events", 1_000_000, None)
    clock.now_s += LINE_EVERY_S
    lines.report("events", 1_000_500, None)
    assert stream.getvalue() == "events: 1,000,500, 50/s\n"


def test_quiet_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with progress(quiet=True) as report:
        report("requests", 1, 2)
    assert capfd.readouterr() == ("", "")


def on_a_terminal(script: str) -> str:
    """What a script prints on stderr when that is a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    subprocess.run([sys.executable, "-c", script], stderr=theirs, check=True, env=environment)
    os.close(theirs)
    shown = b"".join(_read(ours)).decode()
    os.close(ours)
    return shown


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(terminal, 1 << 16)
        except OSError:  # Linux: the other side is closed
            return
        if not piece:
            return
        yield piece


def test_on_a_terminal_a_bar_shows_what_how_many_and_how_fast() -> None:
    shown = on_a_terminal(REPORTS.format(quiet=False))
    assert "requests" in shown
    assert "1,000/1,000" in shown
    assert "/s" in shown
    assert "training" in shown


def test_quiet_on_a_terminal_shows_no_bar() -> None:
    assert on_a_terminal(REPORTS.format(quiet=True)) == ""
