"""Load from wrk, on a core of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What wrk saw.

    requests:       that were answered, in so many seconds.
    failed:         those answered by an error, or not at all.
    p50_us, p99_us: of the time to an answer.
    """

    requests: int
    seconds: float
    failed: int
    p50_us: float
    p99_us: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent, again and again.

    url:     to here.
    bodies:  a file with a body a line; None: GET without one.
    headers: NAME=VALUE.
    core:    that wrk is kept on.
    """

    url: str
    bodies: Path | None
    headers: Sequence[str]
    core: int

    def run(self, connections: int, seconds: float) -> Loaded:
        """Put load on for some whole seconds, at least one."""
        wrk = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "-s", str(SCRIPT)]
        sent = ["GET", "-"] if self.bodies is None else ["POST", str(self.bodies)]
        command = ["taskset", "-c", str(self.core), *wrk, self.url, "--", *sent, *self.headers]
        told = subprocess.run(command, check=True, capture_output=True, text=True)
        return Loaded(**json.loads(told.stdout.strip().splitlines()[-1]))


def missing_tools() -> list[str]:
    """Programs that the benchmark needs and the machine lacks."""
    return [tool for tool in ("wrk", "taskset") if shutil.which(tool) is None]
