"""15 features emitted for each event, in log order: CPU microseconds an event on one core, against plain-Python deques.

Both take the whole log and drop the features as soon as they are there. unisono takes it in micro-batches; cutting
them out of the arrays is part of its time. The features of every tenth key (numbered at random) are compared first.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks.agreement import ERROR, disagreement, is_exact
from benchmarks.definition import Log, read_log, view
from benchmarks.harness import Result, finish, parser, pin_to_one_core, prepare, say
from benchmarks.peers import deques
from benchmarks.workload import FEATURES, Values, Workload
from unisono.features.compile import compile_view
from unisono.kernel import Plan, States

RATIO_TARGET = 25.0
TARGET_US: dict[Values, float] = {"decimal": 0.55, "float": 0.7}
BATCH = 4096
SAMPLED_KEYS = 10
# Running float sums drift, and a variance that is a small difference of large ones shows it most.
DEQUES_STD_ERROR = 1e-6


def emit(plan: Plan, log: Log, keys: int, batch: int) -> Iterator[NDArray[np.float64]]:
    """unisono's features of each event, a micro-batch at a time, by fresh states; the next batch overwrites them."""
    states = States(plan, slots=keys)
    answers = np.empty((batch, len(plan.outputs)))
    for start in range(0, len(log), batch):
        events = log.batch(start, start + batch)
        yield states.replay(events, emit="events", answers=answers[: len(events)])


def emit_by_deques(log: Log) -> Iterator[deques.Row]:
    return deques.replay(log.key.tolist(), log.time.tolist(), log.value.tolist(), log.unit)


def compare_sample(plan: Plan, log: Log, workload: Workload, batch: int) -> float:
    """The largest error between the two; stops if a feature is further off than stated. Warms both up."""
    sampled = log.key % SAMPLED_KEYS == 0
    rows = emit(plan, log, workload.keys, batch)
    ours = np.concatenate([part[sampled[at * batch : at * batch + len(part)]] for at, part in enumerate(rows)])
    return require_equal(ours, np.array(list(emit_by_deques(log.where(sampled)))), workload.values)


def time_an_event(rows: Iterator[object], events: int) -> float:
    """CPU microseconds an event; without the garbage collector, which would look at the deques' millions of tuples."""
    gc.collect()
    gc.disable()
    started = time.process_time_ns()
    for _ in rows:
        pass
    spent_ns = time.process_time_ns() - started
    gc.enable()
    return spent_ns / 1e3 / events


def require_equal(ours: NDArray[np.float64], theirs: NDArray[np.float64], values: Values) -> float:
    """The largest error; stops if a feature is further off than stated."""
    largest = 0.0
    for column, name in enumerate(FEATURES):
        inexact = DEQUES_STD_ERROR if "_std_" in name and values == "float" else ERROR
        allowed = 0.0 if is_exact(name, values) else inexact
        error, row = disagreement(ours[:, column], theirs[:, column], error=allowed)
        if row is not None:
            raise SystemExit(
                f"{name}, row {row}: unisono {float(ours[row, column])}, deques {float(theirs[row, column])}"
            )
        largest = max(largest, error)
    return largest


def measure(workload: Workload, batch: int, runs: int) -> Result:
    plan, log = compile_view(view(workload.values)).plan, read_log(workload)
    error = compare_sample(plan, log, workload, batch)
    say(f"  equal, largest error {error:.1e}")
    timed = []
    for run in range(runs):
        unisono_us = time_an_event(emit(plan, log, workload.keys, batch), len(log))
        deques_us = time_an_event(emit_by_deques(log), len(log))
        say(f"  run {run + 1}: unisono {unisono_us:.3f} us, deques {deques_us:.2f} us")
        timed.append((unisono_us, deques_us))
    return summarize(workload, batch, timed, largest_error=error)


def summarize(workload: Workload, batch: int, timed: list[tuple[float, float]], *, largest_error: float) -> Result:
    unisono_us, deques_us = (median(column) for column in zip(*timed, strict=True))
    ratio, target_us = deques_us / unisono_us, TARGET_US[workload.values]
    return {
        "benchmark": "stream",
        "values": workload.values,
        "events": workload.events,
        "batch": batch,
        "runs": len(timed),
        "unisono_us": round(unisono_us, 4),
        "target_us": target_us,
        "deques_us": round(deques_us, 3),
        "ratio": round(ratio, 1),
        "ratio_target": RATIO_TARGET,
        "largest_error": largest_error,
        "met": unisono_us <= target_us and ratio >= RATIO_TARGET,
    }


def main() -> None:
    options = parser(str(__doc__), runs=3)
    options.add_argument("--batch", type=int, default=BATCH, help="events of a micro-batch")
    arguments = options.parse_args()
    workload = prepare(arguments)
    pin_to_one_core()
    finish(measure(workload, arguments.batch, arguments.runs), as_json=arguments.json)


if __name__ == "__main__":
    main()
