"""Fifty changes of the champion under full load: requests that fail, answers of no version, p99 against before.

The champion is moved in the registry, as `unisono models promote` does it, and the next move waits until the new
version answers. Every answer is compared with the batch driver's for the version that it names.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from statistics import median
from time import perf_counter

import uvloop

import unisono as un
from benchmarks.harness import Result, finish, parser, say
from benchmarks.serving.callers import post
from benchmarks.serving.contestants import OURS, unisono
from benchmarks.serving.judge import Judge, Pressing, quantile_ms
from benchmarks.serving.measuring import Running, started, two_cores
from benchmarks.serving.workload import PREDICTOR, ROWS, SWITCHED, ensure
from unisono.drivers.project import Project

SWITCHES = 50
CALM_S = 10.0
PATIENCE_S = 30.0
P99_TARGET = 1.5


async def run(server: Running, project: Project, switches: int, connections: int) -> tuple[Judge, Judge, list[float]]:
    """What was seen before and while the champion changed, and the seconds from each change to its first answer."""
    expected = server.files.expected(SWITCHED)
    bodies = server.files.first_bodies("named", ROWS)
    requests = [post(server.contestant.path, body, "x-timeout-ms: 5000") for body in bodies]
    before, during = Judge(expected), Judge(expected)
    pressing = Pressing(server.port, requests, connections)
    await pressing.until(Judge(expected), CALM_S / 2)  # warms up
    await pressing.until(before, CALM_S)
    load = asyncio.ensure_future(pressing.until(during))
    try:
        waits = [await switch(project, during, sorted(expected)) for _ in range(switches)]
    finally:
        pressing.is_over = True
        await load
    return before, during, waits


async def switch(project: Project, judge: Judge, versions: Sequence[str]) -> float:
    """Move the champion to the other version; returns how long it took until that answered."""
    registry = project.registry
    champion = registry.active(PREDICTOR[SWITCHED]).id
    other = next(version for version in versions if version != champion)
    began_s = perf_counter()
    registry.promote(registry.version(PREDICTOR[SWITCHED], other))
    while judge.version != other:
        await asyncio.sleep(0.01)
        if perf_counter() - began_s > PATIENCE_S:
            raise SystemExit(f"version {other} does not answer after {PATIENCE_S:g} s")
    return perf_counter() - began_s


def summarize(before: Judge, during: Judge, waits: Sequence[float], connections: int) -> Result:
    calm_ms, busy_ms = (quantile_ms(judge.answered, 0.99) for judge in (before, during))
    failed = {str(status): count for status, count in during.failed.items()}
    failed |= {"429 or 503": len(during.refused)} if during.refused else {}
    ratio = busy_ms / calm_ms
    return {
        "benchmark": "switching",
        "switches": len(waits),
        "connections": connections,
        "answers": len(during.answered),
        "failed": failed,
        "of_no_version": before.wrong + during.wrong,
        "p99_ms_before": calm_ms,
        "p99_ms_while_switching": busy_ms,
        "p99_times": round(ratio, 2),
        "p99_times_target": P99_TARGET,
        "rate_before": round(before.rate),
        "rate_while_switching": round(during.rate),
        "seconds_to_the_first_answer": round(median(waits), 2),
        "met": not failed and not before.wrong + during.wrong and ratio <= P99_TARGET,
    }


def main() -> None:
    options = parser(str(__doc__), runs=1, workload=False)
    options.add_argument("--switches", type=int, default=SWITCHES)
    options.add_argument("--connections", type=int, default=64)
    arguments = options.parse_args()
    files, cores = ensure(), two_cores()
    with started(unisono(OURS, SWITCHED), files, cores.server) as server:
        os.sched_setaffinity(0, {cores.load})
        say(f"{arguments.switches} switches under {arguments.connections} callers")
        project = un.load(files.project(SWITCHED))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            seen = runner.run(run(server, project, arguments.switches, arguments.connections))
    finish(summarize(*seen, arguments.connections), as_json=arguments.json)


if __name__ == "__main__":
    main()
