"""What a person sees of the run: a bar for the step that is going, a line for each that is done, a table at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from examples.flights.findings import Findings, Step

T = TypeVar("T")


class Running:
    """A step that is going: it takes the result, counts its rows and moves the bar."""

    def __init__(self, bar: Progress, name: str, rows: Callable[[Any], int]) -> None:
        self.name, self._bar, self._count = name, bar, rows
        self._task: TaskID = bar.add_task(name, total=None)
        self.rows, self.seconds = 0, 0.0

    def result(self, value: T) -> T:
        """Gives the value back; its rows are the step's."""
        self.rows = self._count(value)
        return value

    def add(self, rows: int) -> None:
        """More rows are done."""
        self.rows += rows

    def progress(self, what: str, done: int, total: int | None) -> None:
        """Moves the bar; made to be handed to a project's methods."""
        self._bar.update(self._task, completed=done, total=total, description=f"{self.name}: {what}")

    @contextmanager
    def going(self) -> Iterator[None]:
        """Counts the time inside."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - begun

    def remove(self) -> Step:
        """Takes the bar away; gives what it came to."""
        self._bar.remove_task(self._task)
        return Step(self.name, self.rows, self.seconds)


class Screen:
    """The terminal; a context in which steps run."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %")
        self._bar = Progress(*columns, TimeElapsedColumn(), console=self._console, transient=True)
        self.steps: list[Step] = []

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    @contextmanager
    def pausing(self, name: str, rows: Callable[[Any], int] = len) -> Iterator[Running]:
        """A step whose time is what is spent inside `going`; rows: counts those of its result, if it has one."""
        running = Running(self._bar, name, rows)
        yield running
        step = running.remove()
        self.steps.append(step)
        self._console.print(f"{step.name:<32}{step.rows:>10,} rows {step.seconds:>8.2f} s {step.rate:>12} rows/s")

    @contextmanager
    def step(self, name: str, rows: Callable[[Any], int] = len) -> Iterator[Running]:
        """A step; rows: counts those of its result."""
        with self.pausing(name, rows) as running, running.going():
            yield running

    def show(self, found: Findings, path: Path) -> None:
        """The tables at the end, and where the report is."""
        models = Table("last two months", "AUC", "Brier", title_justify="left")
        for model in found.models:
            models.add_row(model.name, f"{model.score.auc:.4f}", f"{model.score.brier:.4f}")
        routes = Table("route", "requests", "numbers", "differing bits")
        for route in found.routes:
            routes.add_row(route.name, f"{route.rows:,}", f"{route.compared:,}", f"{route.differing_bits:,}")
        steps = Table("step", "rows", "seconds", "rows/s")
        for step in found.steps:
            steps.add_row(step.name, f"{step.rows:,}", f"{step.seconds:,.2f}", step.rate)
        for table in (steps, models, routes):
            for column in table.columns[1:]:
                column.justify = "right"
            self._console.print(table)
        self._console.print(f"report: {path}", soft_wrap=True)
