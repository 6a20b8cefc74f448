"""Feature state in LMDB, evaluated at the instant of asking: microseconds a call, in process, one core.

A call is what the online driver does for one view: key to bytes, snapshot, state, `Reader.read`. Keys are drawn as the
workload draws them, so hot ones are among them; instants are uniform over the 6 hours after the state's last commit.
The answers are first compared with Polars'. Two floors evaluate nothing: they fetch features computed before, as bytes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.agreement import compare
from benchmarks.definition import Log, read_log, view
from benchmarks.generate import SEED, draw_keys, instants
from benchmarks.harness import ROOT, Result, finish, parser, pin_to_one_core, prepare, say
from benchmarks.peers.floors import lmdb_floor, sqlite_floor
from benchmarks.workload import FEATURES, HOUR_US, VIEW, Workload
from unisono.features.compile import compile_view
from unisono.kernel import Plan, Reader, States
from unisono.store.states import StateStore, ViewIdentity, encode_key

P50_TARGET_US, P99_TARGET_US = 5.0, 25.0
AHEAD_US = 6 * HOUR_US
READS = 100_000
COMMIT_EVENTS = 8192
HOT_KEYS = 10

Call = Callable[[int, int], object]
Spent = NDArray[np.int64]


def build_states(plan: Plan, log: Log, keys: int) -> States:
    """States after the whole log, advanced at each commit as the stream driver does."""
    states = States(plan, slots=keys)
    for start in range(0, len(log), COMMIT_EVENTS):
        events = log.batch(start, start + COMMIT_EVENTS)
        states.replay(events, emit="none")
        states.advance(np.unique(events.key), int(events.ingest[-1]))
    return states


def fill_store(directory: Path, plan: Plan, states: States, log: Log) -> StateStore:
    """The states in LMDB, opened for reading."""
    views = {VIEW: ViewIdentity(definition="benchmark", plan=plan.id)}
    writer = StateStore(directory, views, mode="temporary")
    pairs = [(encode_key([slot]), states.export(slot)) for slot in np.unique(log.key).tolist()]
    writer.commit({VIEW: pairs}, position=len(log), time=int(log.time[-1]))
    writer.close()
    say(f"  {len(pairs):,} states of {sum(len(state) for _, state in pairs) / len(pairs):,.0f} bytes on average")
    return StateStore(directory, views)


def read_call(store: StateStore, plan: Plan) -> Call:
    read = Reader(plan).read

    def call(key: int, at: int) -> NDArray[np.float64]:
        with store.snapshot() as snapshot:
            return read(snapshot.state(VIEW, encode_key([key])) or b"", at)

    return call


def draw_reads(workload: Workload, log: Log, reads: int) -> pl.DataFrame:
    """Requests: row number, key, time."""
    rng = np.random.default_rng([SEED, 3])
    key = draw_keys(rng, workload.keys, reads)
    at = log.time[-1] + rng.integers(0, AHEAD_US, reads, endpoint=True)
    return pl.DataFrame({"request": np.arange(reads), "key": key, "time": instants(at)})


def require_equal(call: Call, reads: pl.DataFrame, workload: Workload, folder: Path) -> float:
    """The largest difference from Polars' answers to the same reads; stops if it is above the stated error."""
    asked, answered = folder / "asked.parquet", folder / "answered.parquet"
    reads.write_parquet(asked)
    files = [str(workload.events_path), str(asked), str(answered)]
    command = [sys.executable, "-m", "benchmarks.peers.polars_frame", "axis", workload.values, *files]
    subprocess.run(command, check=True, cwd=ROOT)
    rows = np.array([call(key, at) for key, at in questions(reads)])
    ours = reads.hstack([pl.Series(name, rows[:, column]) for column, name in enumerate(FEATURES)])
    verdict = compare(ours, pl.read_parquet(answered), workload.values)
    if not verdict["equal"]:
        raise SystemExit(f"unisono and Polars: {verdict['first']}")
    return float(str(verdict["largest_error"]))


def questions(reads: pl.DataFrame) -> Sequence[tuple[int, int]]:
    return list(zip(reads["key"].to_list(), reads["time"].to_physical().to_list(), strict=True))


def floors(call: Call, log: Log, folder: Path) -> dict[str, Call]:
    """Calls that only fetch; the features are those at the log's last instant."""
    at = int(log.time[-1])

    def rows() -> Iterator[tuple[int, bytes]]:
        return ((key, np.asarray(call(key, at)).tobytes()) for key in np.unique(log.key).tolist())

    by_sqlite, by_lmdb = sqlite_floor(folder / "floor.sqlite", rows()), lmdb_floor(folder / "floor.lmdb", rows())
    return {"sqlite": lambda key, _: by_sqlite(key), "lmdb": lambda key, _: by_lmdb(key)}


def time_calls(call: Call, asked: Sequence[tuple[int, int]]) -> Spent:
    """Nanoseconds of each call, the clock's own included."""
    clock = time.perf_counter_ns
    spent = []
    for key, at in asked:
        started = clock()
        call(key, at)
        spent.append(clock() - started)
    return np.array(spent)


def quantile_us(runs: Sequence[Spent], share: float) -> float:
    """Median over the runs of a quantile within each."""
    return round(median(float(np.quantile(run, share)) for run in runs) / 1e3, 2)


def measure(workload: Workload, reads: pl.DataFrame, log: Log, runs: int) -> Result:
    plan = compile_view(view(workload.values)).plan
    states = build_states(plan, log, workload.keys)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        call = read_call(fill_store(folder / "states", plan, states, log), plan)
        del states
        error = require_equal(call, reads, workload, folder)
        say(f"  equal, largest error {error:.1e}")
        calls = {"unisono": call, **floors(call, log, folder)}
        timed = race(calls, questions(reads), runs)
    hottest = np.argsort(-np.bincount(log.key))[:HOT_KEYS]
    return summarize(workload, timed, np.isin(reads["key"].to_numpy(), hottest))


def race(calls: dict[str, Call], asked: Sequence[tuple[int, int]], runs: int) -> dict[str, list[Spent]]:
    """Times them in turn, after a turn that is not counted."""
    timed: dict[str, list[Spent]] = {name: [] for name in calls}
    for run in range(runs + 1):
        for name, call in calls.items():
            spent = time_calls(call, asked)
            if run:
                timed[name].append(spent)
                say(f"  run {run}, {name}: p50 {quantile_us([spent], 0.5)} us, p99 {quantile_us([spent], 0.99)} us")
    return timed


def summarize(workload: Workload, timed: dict[str, list[Spent]], is_hot: NDArray[np.bool_]) -> Result:
    ours = timed["unisono"]
    hot = [run[is_hot] for run in ours]
    p50_us, p99_us = quantile_us(ours, 0.5), quantile_us(ours, 0.99)
    result: Result = {
        "benchmark": "read",
        "values": workload.values,
        "events": workload.events,
        "reads": len(is_hot),
        "runs": len(ours),
        "p50_us": p50_us,
        "p50_target_us": P50_TARGET_US,
        "p99_us": p99_us,
        "p99_target_us": P99_TARGET_US,
        f"p50_us_of_{HOT_KEYS}_hottest_keys": quantile_us(hot, 0.5),
        f"p99_us_of_{HOT_KEYS}_hottest_keys": quantile_us(hot, 0.99),
    }
    for name in ("sqlite", "lmdb"):
        result[f"{name}_floor_p50_us"] = quantile_us(timed[name], 0.5)
        result[f"{name}_floor_p99_us"] = quantile_us(timed[name], 0.99)
    result["met"] = p50_us <= P50_TARGET_US and p99_us <= P99_TARGET_US
    return result


def main() -> None:
    options = parser(str(__doc__), runs=3)
    options.add_argument("--reads", type=int, default=READS, help="calls a run")
    arguments = options.parse_args()
    workload = prepare(arguments)
    pin_to_one_core()
    log = read_log(workload)
    reads = draw_reads(workload, log, arguments.reads)
    finish(measure(workload, reads, log, arguments.runs), as_json=arguments.json)


if __name__ == "__main__":
    main()
