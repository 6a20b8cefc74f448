"""Ten times the callers for half a minute, on a model of 2,000 trees: who is refused, how soon, and how it ends.

Every caller sends its next request as soon as the last one is answered or refused, whatever Retry-After says, and wants
its answer within 50 ms. The callers have a core of their own, but are Python: what they measure includes their own
delay. Every answer is compared with the batch driver's.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

import uvloop

from benchmarks.harness import Result, finish, parser, say
from benchmarks.serving.callers import post
from benchmarks.serving.contestants import OURS, unisono
from benchmarks.serving.judge import Judge, Pressing, Timed, quantile_ms
from benchmarks.serving.measuring import Running, started, two_cores
from benchmarks.serving.processes import resident_mb, usage_of
from benchmarks.serving.workload import ROWS, SLOW, ensure

TIMEOUT_MS = 50
TIMES = 10
CALM_S = 5.0
REFUSED_TARGET_MS = 50.0
RECOVERY_TARGET_S = 2.0
GROWTH_TARGET_MB = 50.0
_BIN_S = 0.1
_RECOVERED = 0.8  # of the rate before


@dataclass(slots=True)
class Phases:
    """What was seen before, during and after the burst.

    end_s:     when the burst ended.
    memory_mb: resident, of the worker: before the burst, then while it lasts.
    """

    before: Judge
    burst: Judge
    after: Judge
    end_s: float = 0.0
    memory_mb: list[float] = field(default_factory=list)


async def run(server: Running, connections: int, seconds: float) -> Phases:
    """All three, one after the other."""
    files, one = server.files, server.contestant
    bodies = files.first_bodies("named", ROWS)
    requests = [post(one.path, body, f"x-timeout-ms: {TIMEOUT_MS}") for body in bodies]
    expected = files.expected(SLOW)
    phases = Phases(Judge(expected), Judge(expected), Judge(expected))
    calm, crowd = (Pressing(server.port, requests, callers) for callers in (connections, TIMES * connections))
    idle = usage_of(server.pid)
    await calm.until(Judge(expected), CALM_S / 2)  # warms up
    await calm.until(phases.before, CALM_S)
    worker = usage_of(server.pid).busiest_since(idle)
    phases.memory_mb.append(resident_mb(worker))
    sampling = asyncio.ensure_future(sample_memory(worker, phases.memory_mb))
    await crowd.until(phases.burst, seconds)
    sampling.cancel()
    phases.end_s = perf_counter()
    await calm.until(phases.after, CALM_S)
    return phases


async def sample_memory(worker: int, memory_mb: list[float]) -> None:
    while True:
        await asyncio.sleep(0.5)
        memory_mb.append(resident_mb(worker))


def recovery_s(phases: Phases) -> float:
    """From the burst's end to the end of the first tenth of a second without refusals and at the rate of before."""
    enough = _RECOVERED * phases.before.rate * _BIN_S
    for number in range(round(CALM_S / _BIN_S)):
        begin_s = phases.end_s + number * _BIN_S
        answered, refused = (_within(one, begin_s) for one in (phases.after.answered, phases.after.refused))
        if answered >= enough and not refused:
            return round((number + 1) * _BIN_S, 1)
    return float("inf")


def _within(timed: Sequence[Timed], begin_s: float) -> int:
    return sum(begin_s <= one.at_s < begin_s + _BIN_S for one in timed)


def summarize(phases: Phases, connections: int) -> Result:
    burst, judges = phases.burst, (phases.before, phases.burst, phases.after)
    growth_mb = max(phases.memory_mb) - phases.memory_mb[0]
    refused_ms, recovered_s = quantile_ms(burst.refused, 0.99), recovery_s(phases)
    faults = {
        "wrong": sum(one.wrong for one in judges),
        "refused_without_retry_after": sum(one.unexplained for one in judges),
        "failed": {
            str(status): sum(one.failed[status] for one in judges) for status in set().union(*map(_failed, judges))
        },
    }
    met = refused_ms <= REFUSED_TARGET_MS and recovered_s <= RECOVERY_TARGET_S and growth_mb <= GROWTH_TARGET_MB
    return {
        "benchmark": "burst",
        "connections": f"{connections}, then {TIMES * connections}",
        "rate_before": round(phases.before.rate),
        "p99_ms_before": quantile_ms(phases.before.answered, 0.99),
        "rate_in_burst": round(burst.rate),
        "p99_ms_in_burst": quantile_ms(burst.answered, 0.99),
        "refused_in_burst": len(burst.refused),
        "refused_p50_ms": quantile_ms(burst.refused, 0.5),
        "refused_p99_ms": refused_ms,
        "refused_p99_target_ms": REFUSED_TARGET_MS,
        "refused_longest_ms": quantile_ms(burst.refused, 1.0),
        "recovery_s": recovered_s,
        "recovery_target_s": RECOVERY_TARGET_S,
        "worker_growth_mb": round(growth_mb, 1),
        "worker_growth_target_mb": GROWTH_TARGET_MB,
        **faults,
        "met": met and not any(faults.values()),
    }


def _failed(judge: Judge) -> set[int]:
    """Statuses that no caller should get; 504: it was too late, and was told so."""
    return set(judge.failed) - {504}


def main() -> None:
    options = parser(str(__doc__), runs=1, workload=False)
    options.add_argument("--seconds", type=float, default=30.0, help="of the burst")
    options.add_argument(
        "--connections", type=int, default=64, help=f"before and after; {TIMES} times as many in the burst"
    )
    arguments = options.parse_args()
    files, cores = ensure(), two_cores()
    with started(unisono(OURS, SLOW, timeout_ms=TIMEOUT_MS), files, cores.server) as server:
        os.sched_setaffinity(0, {cores.load})
        say(f"{arguments.connections} callers, then {TIMES * arguments.connections} for {arguments.seconds:g} s")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            phases = runner.run(run(server, arguments.connections, arguments.seconds))
    finish(summarize(phases, arguments.connections), as_json=arguments.json)


if __name__ == "__main__":
    main()
