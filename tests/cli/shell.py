"""The real command line, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

UNISONO = (sys.executable, "-m", "unisono")
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Run:
    """What a command left behind."""

    exit_code: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        """The one line of --json."""
        (line,) = self.out.splitlines()
        return json.loads(line)


def unisono(*arguments: object, folder: Path) -> Run:
    """Run `unisono` in a folder."""
    command = [*UNISONO, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S)
    return Run(done.returncode, done.stdout, done.stderr)
