"""The real command line, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


@contextmanager
def running(*arguments: object, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on; it is killed at the end if it is still there."""
    command = [*UNISONO, *map(str, arguments)]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str]) -> Run:
    """Wait for the end of a command."""
    out, err = process.communicate(timeout=PATIENCE_S)
    return Run(process.returncode, out, err)


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for something that a running command does; it must not end before."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, finish(process)
        assert time.monotonic() < deadline
