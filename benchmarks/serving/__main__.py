"""One row of 30 floats as JSON in, a probability out of 200 trees with 31 leaves: servers on one core, wrk on another.

Every server validates the request and runs the same model, with one worker, and in batches where it can. unisono is
`unisono serve` as users run it, with metrics, prediction log and a deadline for each request. Answers are compared
before anything is timed. CPU is that of all processes of a server. Servers are started, warmed up, measured and stopped
in turn; medians are reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.harness import Result, ask_process, finish, parser, say
from benchmarks.serving.contestants import CONTESTANTS, HELLO, OURS, WITH_FEATURES
from benchmarks.serving.environments import UnavailableError
from benchmarks.serving.load import missing_tools
from benchmarks.serving.measuring import ALLOWED_ERROR, Cores, Figures, started, two_cores
from benchmarks.serving.table import PAGE, tables, write
from benchmarks.serving.workload import Files, ensure

TIMES = {"fastapi": 4.0, "mosec": 2.0, "litserve": 15.0, "mlserver": 15.0, "bentoml": 30.0}
"""Requests per CPU second that unisono must answer for one of the peer's."""
HELLO_SHARE = 0.6
"""Of the rate of bare uvicorn."""
ALONE_TIMES = 1.3
"""The longest that one caller waits, in times of what bare uvicorn and the model alone take."""
WORKER_MB = 100.0
FEATURES_SHARE = 0.7
"""Of the requests per CPU second without features."""
PEERS = [name for name in CONTESTANTS if name not in (OURS, WITH_FEATURES)]

Runs = dict[str, list[Figures]]


def race(files: Files, names: Sequence[str], runs: int, shape: tuple[int, float]) -> tuple[Runs, dict[str, str]]:
    """All servers in turn, several times; and why some could not be measured."""
    cores = two_cores()
    measured: Runs = {name: [] for name in names}
    missing: dict[str, str] = {}
    for turn in range(runs):
        for name in names:
            if name in missing:
                continue
            try:
                measured[name].append(measure(files, name, cores, shape))
            except UnavailableError as error:
                missing[name] = str(error)
                say(f"  {name}: {error}")
                continue
            say(f"  run {turn + 1}, {name}: {line(measured[name][-1])}")
    return {name: found for name, found in measured.items() if found}, missing


def measure(files: Files, name: str, cores: Cores, shape: tuple[int, float]) -> Figures:
    """One server from start to end; wrong answers end the benchmark."""
    with started(CONTESTANTS[name], files, cores.server) as server:
        error = server.largest_error()
        if not error <= ALLOWED_ERROR:
            raise SystemExit(f"{name}: answers differ by {error}; allowed: {ALLOWED_ERROR}")
        return server.measure(cores, *shape)


def line(one: Figures) -> str:
    failed = f", {one.failed} FAILED" if one.failed else ""
    return (
        f"{one.rate:,.0f}/s, {one.cpu_us:.1f} CPU us, p50 {one.p50_us / 1e3:.2f} ms, p99 {one.p99_us / 1e3:.2f} ms, "
        f"alone {one.alone_p50_us:.0f} us, {one.worker_mb:.0f} MB{failed}"
    )


def medians(runs: Sequence[Figures]) -> dict[str, float]:
    kinds = {"rate": 0, "cpu_us": 1, "p50_us": 0, "p99_us": 0, "alone_p50_us": 0, "worker_mb": 1, "processes": 0}
    figures = {kind: round(median(getattr(run, kind) for run in runs), places) for kind, places in kinds.items()}
    return figures | {"failed": sum(run.failed for run in runs)}


def summarize(measured: Runs, missing: Mapping[str, str], model_us: float) -> Result:
    figures = {name: medians(runs) for name, runs in measured.items()}
    checks = ratios(figures, model_us)
    return {
        "benchmark": "serving",
        "runs": max(map(len, measured.values()), default=0),
        "servers": figures,
        "not_measured": dict(missing),
        "model_alone_us": round(model_us, 1),
        "ratios": {name: round(value, 2) for name, (value, _) in checks.items()},
        "targets": {name: target for name, (_, target) in checks.items()},
        "met": OURS in figures and all(is_met(*check) for check in checks.values()) and not figures[OURS]["failed"],
    }


def ratios(figures: Mapping[str, Mapping[str, float]], model_us: float) -> dict[str, tuple[float, str]]:
    """What is asked of unisono: name -> value, and what it must be."""
    ours = figures.get(OURS)
    if ours is None:
        return {}
    found = {
        f"requests per CPU second, times {peer}": (figures[peer]["cpu_us"] / ours["cpu_us"], f">= {times:g}")
        for peer, times in TIMES.items()
        if peer in figures
    }
    if HELLO in figures:
        hello = figures[HELLO]
        alone_us = hello["alone_p50_us"] + model_us
        found["rate, of bare uvicorn's"] = (ours["rate"] / hello["rate"], f">= {HELLO_SHARE:g}")
        found["p50 alone, times hello and model"] = (ours["alone_p50_us"] / alone_us, f"<= {ALONE_TIMES:g}")
    if WITH_FEATURES in figures:
        share = ours["cpu_us"] / figures[WITH_FEATURES]["cpu_us"]
        found["requests per CPU second with features, of without"] = (share, f">= {FEATURES_SHARE:g}")
    found["resident MB of a worker"] = (ours["worker_mb"], f"<= {WORKER_MB:g}")
    return found


def is_met(value: float, target: str) -> bool:
    sign, bound = target.split()
    return value >= float(bound) if sign == ">=" else value <= float(bound)


def main() -> None:
    options = parser(str(__doc__), runs=5, workload=False)
    options.add_argument("--seconds", type=float, default=8.0, help="of load a measurement")
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--peers", default=",".join(PEERS), help="comma-separated; default: all, %(default)s")
    options.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    arguments = options.parse_args()
    peers = [name for name in arguments.peers.split(",") if name]
    if not set(peers) <= set(PEERS):
        options.error(f"--peers {arguments.peers}; allowed: {', '.join(PEERS)}, separated by commas, or none")
    if missing_tools():
        raise SystemExit(f"{' and '.join(missing_tools())} missing; install wrk and util-linux")
    files = ensure()
    model_us = float(str(ask_process(["-m", "benchmarks.serving.model_alone", str(files.graph)])["us"]))
    shape = (arguments.connections, arguments.seconds)
    measured, missing = race(files, [OURS, WITH_FEATURES, *peers], arguments.runs, shape)
    result = summarize(measured, missing, model_us)
    if arguments.write:
        write(result)
    if arguments.json:
        finish(result, as_json=True)
    else:
        print(tables(result))


if __name__ == "__main__":
    main()
