"""Our own HTTP protocol against uvicorn's: the same service behind both, the server on one core, wrk on another.

Two services: one that says hello, and one that predicts from one row of 30 floats as JSON, other rows each time, with a
LightGBM model of 200 trees with 31 leaves. Answers are compared before anything is timed. Both are measured in turn;
medians are reported. CPU is the server's, kernel included.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.harness import ROOT, Result, finish, parser, say
from benchmarks.serving.load import Load, Loaded, missing_tools
from benchmarks.serving.measuring import HOST, START_S, Cores, free_port, two_cores
from benchmarks.serving.processes import running, usage_of
from benchmarks.serving.workload import WIDE, Files, ensure
from benchmarks.workload import cache

OWN, UVICORN = "own", "uvicorn"
CONNECTIONS: Final = 64
CHECKED: Final = 200  # answers that are compared
TARGET: Final = 1.3
"""Times the requests per CPU second of uvicorn's; below, the own protocol is not worth its keep."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked.

    name:    of the service; path: to it.
    bodies:  a file with a body a line; None: GET without one.
    project: whose predictor answers; "": none.
    """

    name: str
    path: str
    bodies: Path | None
    project: str

    def first_bodies(self, count: int) -> list[bytes | None]:
        """The first few; None: no body."""
        if self.bodies is None:
            return [None]
        with self.bodies.open("rb") as lines:
            return [line.rstrip() for line, _ in zip(lines, range(count), strict=False)]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run showed: CPU microseconds a request, requests per second, waiting times in microseconds."""

    cpu_us: float
    rate: float
    p50_us: float
    p99_us: float


def works(files: Files) -> list[Work]:
    predicts = Work("predict", f"/predict/{WIDE}", files.bodies("named"), str(files.project(WIDE)))
    return [Work("hello", "/hello", None, ""), predicts]


@contextmanager
def started(carrier: str, work: Work, core: int) -> Iterator[tuple[int, int]]:
    """Port and process of a server that has answered."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.http_carrier", carrier, str(port), *filter(None, [work.project])]
    log = cache() / f"http-{carrier}.log"
    with running(command, core=core, environ={}, folder=ROOT, log=log) as process:
        deadline = time.monotonic() + START_S
        while not _answers(port, work):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{carrier} does not answer; see {log}")
            time.sleep(0.1)
        yield port, process.pid


def _answers(port: int, work: Work) -> bool:
    try:
        return bool(answers(port, work, 1))
    except OSError:
        return False


def answers(port: int, work: Work, count: int) -> list[object]:
    """What the first requests are answered, but for when."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    found: list[object] = []
    for body in work.first_bodies(count):
        connection.request("GET" if body is None else "POST", work.path, body)
        response = connection.getresponse()
        answer = json.loads(response.read())
        answer.pop("time", None)
        found.append([response.status, response.headers["content-type"], answer])
    connection.close()
    return found


def measure(carrier: str, work: Work, cores: Cores, seconds: float) -> tuple[Figures, list[object]]:
    """One server from start to end: warmed up, then loaded; and what it answered."""
    with started(carrier, work, cores.server) as (port, pid):
        found = answers(port, work, CHECKED)
        load = Load(f"http://{HOST}:{port}{work.path}", work.bodies, (), cores.load)
        load.run(CONNECTIONS, seconds / 2)
        before = usage_of(pid)
        loaded = load.run(CONNECTIONS, seconds)
        return figures_of(loaded, usage_of(pid).since(before)), found


def figures_of(loaded: Loaded, cpu_s: float) -> Figures:
    if loaded.failed:
        raise SystemExit(f"{loaded.failed} of {loaded.requests} requests failed")
    return Figures(1e6 * cpu_s / loaded.requests, loaded.rate, loaded.p50_us, loaded.p99_us)


def race(work: Work, runs: int, seconds: float) -> dict[str, list[Figures]]:
    """Both in turn, several times."""
    cores = two_cores()
    measured: dict[str, list[Figures]] = {OWN: [], UVICORN: []}
    expected: list[object] = []
    for turn in range(runs):
        for carrier, so_far in measured.items():
            figures, found = measure(carrier, work, cores, seconds)
            expected = expected or found
            if found != expected:
                raise SystemExit(f"{carrier} answers otherwise than {OWN}")
            so_far.append(figures)
            say(
                f"  {work.name}, run {turn + 1}, {carrier}: {figures.cpu_us:.1f} CPU us a request, "
                f"{figures.rate:,.0f}/s, p50 {figures.p50_us:.0f} us, p99 {figures.p99_us:.0f} us"
            )
    return measured


def summarize(measured: Mapping[str, Mapping[str, Sequence[Figures]]], runs: int) -> Result:
    """Medians; and how many times uvicorn's requests per CPU second the own protocol answers."""
    result: Result = {"benchmark": "http_layer", "runs": runs}
    ratios: list[float] = []
    for work, carriers in measured.items():
        for carrier, figures in carriers.items():
            for kind in Figures.__slots__:
                value = median(getattr(one, kind) for one in figures)
                result[f"{work}_{carrier}_{kind}"] = round(value, 1)
        own, uvicorn = (median(one.cpu_us for one in carriers[name]) for name in (OWN, UVICORN))
        ratios.append(uvicorn / own)
        result[f"{work}_ratio"] = round(uvicorn / own, 2)
    return {**result, "target_ratio": TARGET, "met": min(ratios) >= TARGET}


def main() -> None:
    options = parser(str(__doc__), runs=5, workload=False)
    options.add_argument("--seconds", type=float, default=6.0, help="of load a measurement")
    arguments = options.parse_args()
    if missing_tools():
        raise SystemExit(f"{' and '.join(missing_tools())} missing; install wrk and util-linux")
    measured = {work.name: race(work, arguments.runs, arguments.seconds) for work in works(ensure())}
    finish(summarize(measured, arguments.runs), as_json=arguments.json)


if __name__ == "__main__":
    main()
