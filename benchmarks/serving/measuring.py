"""One server, from its start to its end: what it answers, how fast, and what it costs."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import ROOT
from benchmarks.serving.contestants import Contestant
from benchmarks.serving.environments import UnavailableError
from benchmarks.serving.load import Load
from benchmarks.serving.processes import resident_mb, running, usage_of
from benchmarks.serving.workload import WIDE, Files
from benchmarks.workload import cache

HOST = "127.0.0.1"
START_S = 120.0
CHECKED = 256  # answers that are compared before anything is timed
ALLOWED_ERROR = 1e-12


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run of a server showed.

    rate:           requests per second under load.
    cpu_us:         CPU microseconds a request, of all its processes.
    p50_us, p99_us: under load.
    alone_p50_us:   at one connection.
    worker_mb:      resident memory of the process that did most of the work.
    processes:      how many there were.
    failed:         requests that were not answered, or with an error.
    """

    rate: float
    cpu_us: float
    p50_us: float
    p99_us: float
    alone_p50_us: float
    worker_mb: float
    processes: int
    failed: int


@dataclass(frozen=True, slots=True)
class Cores:
    """One for the server with all its processes, one for the load."""

    server: int
    load: int


def two_cores() -> Cores:
    """The last two that this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise SystemExit("one core; allowed: two, one for the server and one for the load")
    return Cores(usable[-1], usable[-2])


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers.

    port: where.
    pid:  of the process that was started.
    """

    contestant: Contestant
    files: Files
    port: int
    pid: int

    def load(self, core: int) -> Load:
        """What is sent to it."""
        one = self.contestant
        bodies = None if one.form is None else self.files.bodies(one.form)
        return Load(f"http://{HOST}:{self.port}{one.path}", bodies, one.headers, core)

    def largest_error(self) -> float:
        """How far its answers to the first requests are from what they must be; 0 for one that predicts nothing."""
        form = self.contestant.form
        if form is None:
            return 0.0
        (expected,) = self.files.expected(self.contestant.project or WIDE).values()
        bodies = self.files.first_bodies(form, CHECKED)
        return max(abs(self._probability(body) - wanted) for body, wanted in zip(bodies, expected, strict=False))

    def _probability(self, body: bytes) -> float:
        status, answer = ask(self.contestant, self.port, body)
        if status != 200:
            raise UnavailableError(f"answered {status}: {answer[:200].decode(errors='replace')}")
        return self.contestant.answer(json.loads(answer))

    def measure(self, cores: Cores, connections: int, seconds: float) -> Figures:
        """Warm it up, load it with many connections, then with one."""
        load = self.load(cores.load)
        load.run(connections, seconds / 2)
        before = usage_of(self.pid)
        loaded = load.run(connections, seconds)
        after = usage_of(self.pid)
        worker_mb = resident_mb(after.busiest_since(before))
        alone = load.run(1, seconds)
        return Figures(
            rate=loaded.rate,
            cpu_us=1e6 * after.since(before) / max(loaded.requests, 1),
            p50_us=loaded.p50_us,
            p99_us=loaded.p99_us,
            alone_p50_us=alone.p50_us,
            worker_mb=worker_mb,
            processes=len(after.cpu_s),
            failed=loaded.failed + alone.failed,
        )


def ask(contestant: Contestant, port: int, body: bytes | None) -> tuple[int, bytes]:
    """Status and body of the answer to one request. Raises OSError or HTTPException if there is none."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    headers = dict(header.split("=", 1) for header in contestant.headers)
    try:
        if body is None:
            connection.request("GET", contestant.path, headers=headers)
        else:
            connection.request("POST", contestant.path, body, headers | {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@contextmanager
def started(contestant: Contestant, files: Files, core: int) -> Iterator[Running]:
    """A server that has answered once. Raises UnavailableError if it does not."""
    port = free_port()
    log = cache() / f"serving-{contestant.name.partition(',')[0]}.log"
    command, environ = contestant.command_line(files, port), contestant.environ(files, port)
    with running(command, core=core, environ=environ, folder=ROOT, log=log) as process:
        _wait_until_it_answers(contestant, files, port, process, log)
        yield Running(contestant, files, port, process.pid)


def free_port() -> int:
    """One that is free now, as the next two are."""
    while True:
        with socket.socket() as one:
            one.bind((HOST, 0))
            port: int = one.getsockname()[1]
        if all(map(_is_free, (port + 1, port + 2))):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind((HOST, port))
        except (OSError, OverflowError):
            return False
        return True


def _wait_until_it_answers(
    contestant: Contestant, files: Files, port: int, process: subprocess.Popen[bytes], log: Path
) -> None:
    body = files.first_bodies(contestant.form, 1)[0] if contestant.form else None
    seen: object = "nothing"
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            status, _ = ask(contestant, port, body)
        except (OSError, http.client.HTTPException) as error:
            seen = error
        else:
            if status == 200:
                return
            seen = f"status {status} after {START_S:g} s"
        time.sleep(0.1)
    if process.poll() is not None:
        seen = (log.read_text(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"])[-1]
    raise UnavailableError(f"does not answer: {str(seen)[:200]}")
