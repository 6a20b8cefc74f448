"""How far a command is, on stderr: bars on a terminal, a plain line now and then elsewhere, nothing with --quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from unisono.spec.progress import Progress, no_progress

if TYPE_CHECKING:
    from rich.progress import Progress as Shown
    from rich.progress import TaskID

LINE_EVERY_S = 10.0


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """Where a driver reports how far it is, for as long as the block lasts."""
    if quiet:
        yield no_progress
    elif sys.stderr.isatty():
        with _bars() as bars:
            yield bars.report
    else:
        yield Lines(sys.stderr).report


@dataclass(slots=True)
class Lines:
    """A line for each stretch of time in which something was done; the first one after such a stretch.

    stream:  where lines go.
    clock:   seconds that never go back.
    every_s: how long a stretch is, seconds.
    """

    stream: TextIO
    clock: Callable[[], float] = time.monotonic
    every_s: float = LINE_EVERY_S
    _started: dict[str, tuple[float, int]] = field(default_factory=dict)
    _told: float | None = None

    def report(self, what: str, done: int, total: int | None) -> None:
        """Take what a driver reports."""
        now = self.clock()
        since, first = self._started.setdefault(what, (now, done))
        if self._told is None:
            self._told = now
        if now - self._told >= self.every_s:
            self._told = now
            rate = (done - first) / (now - since) if now > since else 0.0
            print(line(what, done, total, rate), file=self.stream, flush=True)


def line(what: str, done: int, total: int | None, rate: float) -> str:
    """How far something is, in one line.

    rate: a second; 0 where it is not known yet.

    >>> line("requests", 50_000, 200_000, 10_000.0)
    'requests: 50,000 of 200,000 (25 %), 10,000/s, 15 s left'
    >>> line("events", 1_200, None, 0.0)
    'events: 1,200'
    >>> line("training", 0, None, 0.0)
    'training'
    """
    parts = [f"{what}: {done:,}" if done or total else what]
    if total:
        parts[0] += f" of {total:,} ({100 * done // total} %)"
    if rate > 0:
        parts.append(f"{rate:,.0f}/s")
        if total:
            parts.append(f"{max(total - done, 0) / rate:,.0f} s left")
    return ", ".join(parts)


@dataclass(slots=True)
class _Bars:
    """One bar for each thing that is counted."""

    shown: Shown
    tasks: dict[str, TaskID] = field(default_factory=dict)

    def report(self, what: str, done: int, total: int | None) -> None:
        if what not in self.tasks:
            self.tasks[what] = self.shown.add_task(what, total=total, completed=done)
        self.shown.update(self.tasks[what], completed=done, total=total)


@contextmanager
def _bars() -> Iterator[_Bars]:
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, Task, TextColumn
    from rich.progress import Progress as Shown
    from rich.progress import TimeRemainingColumn as TimeLeft
    from rich.text import Text

    class Count(ProgressColumn):
        """How many, of how many."""

        def render(self, task: Task) -> Text:
            of = "" if task.total is None else f"/{task.total:,.0f}"
            return Text(f"{task.completed:,.0f}{of}" if task.completed or of else "", style="progress.download")

    class Rate(ProgressColumn):
        """How many a second."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")

    columns = (TextColumn("{task.description}"), BarColumn(), Count(), Rate(), TimeLeft(compact=True))
    with Shown(*columns, console=Console(stderr=True)) as shown:
        yield _Bars(shown)
