"""The one workload of all servers: projects, the requests, and what they must be answered.

Everything is written once, by `benchmarks.serving.generate` in a process of its own. Imports nothing heavy: the process
that puts load on others has to stay small.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from benchmarks.harness import ROOT, say
from benchmarks.workload import cache

ROWS: Final = 4096  # different requests: one that comes again and again teaches the branch predictor its way
WIDE, KEYED, SWITCHED, SLOW = "wide", "keyed", "switched", "slow"
"""Projects: 30 floats in the request; a key besides, by which 15 window features are looked up; the first with a second
version; the first with ten times the trees."""
PREDICTOR: Final = {WIDE: "wide", KEYED: "keyed", SWITCHED: "wide", SLOW: "wide"}
KEY: Final = "account"
# Part of a folder's name, so that a changed generator never meets old files.
GENERATION: Final = 2

Form = Literal["named", "keyed", "listed", "tensor"]
"""How a row is written as JSON: an object; an object with a key; a list with one object; a tensor of the Open Inference
Protocol."""
FORMS: Final[tuple[Form, ...]] = get_args(Form)

SERVE: Final = """
[serve.log]
predictions = true
keep_bytes = 200_000_000
"""
CONFIG: Final = 'definitions = "definitions.py"\n'
EVENTS: Final = '\n[events]\npayments = "payments.parquet"\n'


@dataclass(frozen=True, slots=True)
class Files:
    """Where everything is.

    folder: of all files.
    """

    folder: Path

    @property
    def graph(self) -> Path:
        """The bare model as ONNX, 30 float64 columns in: what the peers run."""
        return self.folder / "bare.onnx"

    def project(self, name: str) -> Path:
        """The folder of a project."""
        return self.folder / name

    def bodies(self, form: Form) -> Path:
        """The ROWS requests as JSON, a line each."""
        return self.folder / f"bodies-{form}.txt"

    def first_bodies(self, form: Form, count: int) -> list[bytes]:
        """The first few of them."""
        with self.bodies(form).open("rb") as lines:
            return [line.rstrip() for line, _ in zip(lines, range(count), strict=False)]

    def expected(self, project: str) -> dict[str, list[float]]:
        """Version -> the probability that each request must be answered, as the batch driver says."""
        found: dict[str, list[float]] = json.loads((self.folder / f"expected-{project}.json").read_text())
        return found


def ensure() -> Files:
    """The files, written if they are not there yet."""
    files = Files(cache() / f"serving-{GENERATION}")
    if not files.folder.exists():
        say("writing the workload: models, 200,000 events, a few thousand requests")
        subprocess.run([sys.executable, "-m", "benchmarks.serving.generate", str(files.folder)], check=True, cwd=ROOT)
    for name in PREDICTOR:
        configure(files.project(name))
    return files


def configure(project: Path) -> None:
    """How a project is served is this benchmark's present wish, not that of whichever run wrote it."""
    events = EVENTS if project.name == KEYED else ""
    (project / "unisono.toml").write_text(CONFIG + events + SERVE)
