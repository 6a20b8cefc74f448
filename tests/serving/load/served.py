"""`unisono serve` in a process of its own, over a small project."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from urllib.parse import urlsplit

from benchmarks.serving.processes import resident_mb, usage_of
from tests.drivers.projects import CONFIG, make_project, register

START_S = 60.0
PATH = "/predict/risk"


@dataclass(frozen=True, slots=True)
class ServedProject:
    """A server that answers.

    port: where.
    pid:  of the process that was started.
    said: file with what it wrote to stderr.
    """

    port: int
    pid: int
    said: Path

    @property
    def resident_mb(self) -> Mapping[int, float]:
        """Memory of its processes. Those that end and are replaced have other numbers."""
        return {pid: resident_mb(pid) for pid in usage_of(self.pid).cpu_s}


def make_served_project(folder: Path) -> Path:
    """A project with a model and its state."""
    project = make_project(folder)
    register(project)
    project.stream("risk")
    return folder


def request_body(number: int) -> bytes:
    """One of many requests that are answered."""
    return json.dumps({"user": f"u{number % 7}", "shop": number % 3}).encode()


@contextmanager
def serving(folder: Path, settings: str) -> Iterator[ServedProject]:
    """Serve a project with these settings until the end of the context. A server that ends by itself is a failure."""
    (folder / "unisono.toml").write_text(CONFIG + settings)
    said = folder / "said.txt"
    command = [sys.executable, "-m", "unisono", "serve", "--json", "--port", "0", "--project", str(folder)]
    with said.open("wb") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process:
        try:
            yield ServedProject(_port_of(process, said), process.pid, said)
            assert process.poll() is None, said.read_text()
        finally:
            process.terminate()
            process.wait(timeout=START_S)


def _port_of(process: subprocess.Popen[bytes], said: Path) -> int:
    lines: Queue[bytes] = Queue()
    assert process.stdout is not None
    read = process.stdout.readline
    threading.Thread(target=lambda: lines.put(read()), daemon=True).start()
    line = lines.get(timeout=START_S)
    assert b'"url"' in line, line.decode() + said.read_text()
    return urlsplit(str(json.loads(line)["url"])).port or 0
