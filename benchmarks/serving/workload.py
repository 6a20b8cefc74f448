"""The one workload of all servers: two projects, the requests, and what they must be answered.

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
WIDE, KEYED = "wide", "keyed"
KEY: Final = "account"
# Part of a folder's name, so that a changed generator never meets old files.
GENERATION: Final = 1

Form = Literal["named", "keyed", "listed", "tensor"]
"""How a row is written as JSON: an object; an object with a key; a list with one object; a tensor of the Open Inference
Protocol."""
FORMS: Final[tuple[Form, ...]] = get_args(Form)

SERVE: Final = """
[serve.workers]
count = 1

[serve.log]
predictions = true
"""
CONFIG: Final = {
    WIDE: 'definitions = "definitions.py"\n',
    KEYED: 'definitions = "definitions.py"\n\n[events]\npayments = "payments.parquet"\n',
}
"""What the projects' unisono.toml says."""


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
        """WIDE: 30 floats in the request; KEYED: a key besides, by which 15 window features are looked up."""
        return self.folder / name

    def bodies(self, form: Form) -> Path:
        """The ROWS requests as JSON, a line each."""
        return self.folder / f"bodies-{form}.txt"

    def first_bodies(self, form: Form, count: int) -> list[bytes]:
        """The first few of them."""
        with self.bodies(form).open("rb") as lines:
            return [line.rstrip() for line, _ in zip(lines, range(count), strict=False)]

    def expected(self, form: Form) -> list[float]:
        """The probability that each request must be answered, from onnxruntime for many rows at once."""
        name = KEYED if form == "keyed" else WIDE
        found: list[float] = json.loads((self.folder / f"expected-{name}.json").read_text())
        return found


def ensure() -> Files:
    """The files, written if they are not there yet."""
    files = Files(cache() / f"serving-{GENERATION}")
    if not files.folder.exists():
        say("writing the workload: two models, 200,000 events, a few thousand requests")
        subprocess.run([sys.executable, "-m", "benchmarks.serving.generate", str(files.folder)], check=True, cwd=ROOT)
    for name in (WIDE, KEYED):
        _configure(files.project(name))
    return files


def _configure(project: Path) -> None:
    """How the projects are served is this benchmark's present wish, not that of whichever run wrote them."""
    (project / "unisono.toml").write_text(CONFIG[project.name] + SERVE)
