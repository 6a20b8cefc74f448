"""Runs of `unisono predict` to disturb, and what their sinks hold."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tests.drivers.projects import make_project, register
from tests.faults.kills import wait
from unisono.connect.tables import open_source
from unisono.drivers.project import Project

BEFORE = 7
"""Rows of the table that a run replaces."""


def make_batch_project(folder: Path, *, requests: int) -> Project:
    """A project with a version, and few events."""
    project = make_project(folder, events=100, requests=requests)
    register(project)
    return project


def rows_of(sink: str, folder: Path) -> pl.DataFrame:
    """What a sink holds, in the order of all columns: not every kind of table keeps an order."""
    folder.mkdir(exist_ok=True)
    table = open_source(sink).open(folder)
    whole = pl.concat(table.read(table.spans(1 << 20), table.columns))
    return whole.sort(whole.columns, maintain_order=True)


@dataclass(frozen=True)
class Run:
    """One batch run, in a process of its own.

    project: whose.
    sink:    what it writes.
    chunk:   rows a part.
    """

    project: Project
    sink: str
    chunk: int

    def start(self) -> subprocess.Popen[bytes]:
        """Begin it."""
        where = ["--project", str(self.project.root), "--chunk", str(self.chunk), "--quiet", "--json"]
        command = [sys.executable, "-m", "unisono", "predict", "risk", "--out", self.sink, *where]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def parts(self) -> int:
        """How many parts are finished."""
        return len(list((self.project.store_path / "batch").glob("*/parts/*.arrow")))

    def kill_after(self, parts: int, moment_s: float) -> bool:
        """Kill it a moment after it has so many parts; returns whether it was still running."""
        process = self.start()
        try:
            while process.poll() is None and self.parts() < parts:
                wait(process, 0.001)
            wait(process, moment_s)
            return process.poll() is None
        finally:
            process.kill()
            process.communicate()
