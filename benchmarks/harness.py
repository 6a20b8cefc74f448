"""What the benchmarks share: arguments, processes measured from outside, progress, the line printed last."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.workload import EVENTS, VALUES, Workload

ROOT = Path(__file__).parent.parent
# No process here takes as long as this.
FOREVER_S = 3600.0

Result = dict[str, object]


@dataclass(frozen=True, slots=True)
class Measured:
    """One process from start to exit: wall seconds, CPU seconds, peak resident memory, exit code."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    code: int


def parser(description: str, *, runs: int, workload: bool = True) -> argparse.ArgumentParser:
    """The options every benchmark has; `workload=False` leaves out those that shape the workload."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--json", action="store_true", help="print the result as one JSON line, last")
    made.add_argument("--runs", type=int, default=runs, help="timed runs; medians are reported")
    if workload:
        made.add_argument("--values", choices=VALUES, default="decimal", help="kind of the event values")
        made.add_argument("--events", type=int, default=EVENTS, help="events; keys and requests in proportion")
    return made


def prepare(arguments: argparse.Namespace) -> Workload:
    """The workload that was asked for, its files written."""
    workload = Workload(arguments.values, arguments.events)
    say(f"workload: {workload.events:,} events, {workload.keys:,} keys, {workload.requests:,} requests")
    workload.ensure()
    return workload


def run_process(command: Sequence[str], *, limit_s: float = FOREVER_S, quiet: bool = False) -> Measured:
    """Runs `python -m command...` at the repository's root and measures it from outside.

    The peak that `wait4` reports begins with the memory of the process that started it, since exec hands it on:
    whoever calls this has to be small itself, hence imports neither numpy nor polars.
    """
    started = time.perf_counter()
    output = subprocess.DEVNULL if quiet else sys.stderr
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, stdout=output, stderr=output)
    stop = threading.Timer(limit_s, process.kill)
    stop.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - started
    stop.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    peak_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Measured(wall_s, usage.ru_utime + usage.ru_stime, peak_bytes / 1e6, process.returncode)


def ask_process(command: Sequence[str]) -> Result:
    """The JSON line that `python command...` prints last."""
    answer = subprocess.run([sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    lines = answer.stdout.strip().splitlines()
    if not lines:
        raise SystemExit(f"{' '.join(command)} printed nothing and exited with {answer.returncode}")
    result: Result = json.loads(lines[-1])
    return result


def pin_to_one_core() -> None:
    """Keeps this process on one core, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def say(text: str) -> None:
    """Progress, for people."""
    print(text, file=sys.stderr, flush=True)


def finish(result: Mapping[str, object], *, as_json: bool) -> None:
    """Prints the result, last: one JSON line, or a line a field."""
    if as_json:
        print(json.dumps(result), flush=True)
        return
    for name, value in result.items():
        print(f"{name:24} {value}")
