"""The prediction log: CPU microseconds a row, in the worker that answers and in the process that writes, one core each.

Rows have 30 columns (two texts, a whole number, 26 floats, a time) and 15 features, all different. The worker packs
batches as it answers them and sends them to a real writer; whenever the writer is behind, it waits, which costs no CPU.
What is written is read back and counted. The floor is what a list of Python rows would cost: appending each to a list.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import median

import numpy as np

import unisono as un
from benchmarks.generate import SEED
from benchmarks.harness import Result, finish, parser, say
from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.online.reading import Known
from unisono.drivers.scores import Matrix, Outputs, Row
from unisono.drivers.serving.batches import Batch
from unisono.drivers.serving.calls import Call
from unisono.drivers.serving.operations.channel import DROPPED, LOST, WRITTEN, Channel
from unisono.drivers.serving.operations.prediction_log import PredictionLog
from unisono.drivers.serving.operations.writer_process import WriterProcess
from unisono.drivers.serving.settings import Log
from unisono.spec.types import DType
from unisono.store.served import read_served

ROWS = 100_000
SIZES = (1, 8, 64)
TARGETS_US = {1: 6.0, 8: 2.0, 64: 2.0}
FLOATS, FEATURES = 26, 15
ROOM_BYTES = 8 << 20
START = 1_700_000_000_000_000


class Version:
    """A version that was asked."""

    id = "0123456789abcdef" * 2

    def look_up(self, call: Call, *, aside: bool = False) -> Known:
        raise NotImplementedError

    def look_up_together(self, calls: Sequence[Call]) -> tuple[Known, list[Known]]:
        raise NotImplementedError

    def score(self, rows: Sequence[Row], features: Matrix) -> Outputs:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError


def plan() -> OnlinePlan:
    columns: dict[str, DType] = {"user": un.String, "shop": un.String, "count": un.Int64}
    columns |= {f"number_{place}": un.Float64 for place in range(FLOATS)}
    columns["asked_at"] = un.Timestamp
    return OnlinePlan("risk", columns, "asked_at", tuple(f"feature_{place}" for place in range(FEATURES)), ())


def batches(rows: int, size: int) -> list[Batch]:
    """Answered batches of one row a call, looked up together as the server does."""
    rng = np.random.default_rng(SEED)
    numbers, features, score = rng.random((rows, FLOATS)), rng.random((rows, FEATURES)), rng.random(rows)
    made: list[Row] = [
        (f"user {row % 9973}", f"shop {row % 97}", row, *numbers[row].tolist(), START + row) for row in range(rows)
    ]
    times = range(START, START + rows)
    version = Version()

    def known(start: int, end: int) -> Known:
        return Known(made[start:end], times[start:end], features[start:end], start)

    def batch(start: int) -> Batch:
        end = start + size
        calls = [Call("risk", made[row : row + 1], print) for row in range(start, end)]
        return Batch(
            version,
            asked=calls,
            calls=calls,
            known=[known(row, row + 1) for row in range(start, end)],
            together=known(start, end) if size > 1 else None,
            outputs={"probability": score[start:end]},
        )

    return [batch(start) for start in range(0, rows - size + 1, size)]


def worker_s(answered: Sequence[Batch], channel: Channel) -> float:
    """CPU seconds of the worker's part."""
    log = PredictionLog([plan()], channel)
    began_s = time.process_time()
    for batch in answered:
        log.answered("risk", batch)
        if channel.held > ROOM_BYTES // 2:
            while channel.held:
                time.sleep(0.01)
                channel.push()
    log.tick()
    return time.process_time() - began_s


def floor_s(answered: Sequence[Batch]) -> float:
    """CPU seconds to keep each row in a list, with what was known and answered."""
    kept = []
    began_s = time.process_time()
    for batch in answered:
        assert batch.outputs is not None
        score = batch.outputs["probability"].tolist()
        for place, known in enumerate(batch.known):
            kept.append((known.rows[0], known.features.tobytes(), known.position, batch.answers.id, score[place]))
    return time.process_time() - began_s


def once(rows: int, size: int) -> dict[str, float]:
    """Microseconds a row of one run; stops if any row was dropped or lost."""
    counts: Counter[str] = Counter()
    answered = batches(rows, size)
    sent = len(answered) * size
    with tempfile.TemporaryDirectory() as name:
        writer = WriterProcess(Path(name), Log(flush_s=1.0))
        channel = Channel(writer.address, ROOM_BYTES, lambda kind, by: counts.update({kind: by}))
        spent_s = worker_s(answered, channel)
        while not channel.is_settled:
            time.sleep(0.01)
            channel.push()
        channel.close()
        wrote_s = stopped_s(writer)
        found = read_served(Path(name) / "risk")
    if counts[WRITTEN] != sent or counts[DROPPED] or counts[LOST] or found is None or found.height != sent:
        raise SystemExit(f"{sent} rows were sent; {dict(counts)}")
    return {
        "worker": spent_s / sent * 1e6,
        "writer": (wrote_s - start_s()) / sent * 1e6,
        "floor": floor_s(answered) / sent * 1e6,
    }


def stopped_s(writer: WriterProcess) -> float:
    """CPU seconds of a writer, all in all."""
    before = os.times()
    writer.stop(60.0)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


@cache
def start_s() -> float:
    """CPU seconds of a writer that has nothing to write."""
    with tempfile.TemporaryDirectory() as name:
        writer = WriterProcess(Path(name), Log())
        time.sleep(2.0)  # it has started by then, and waits
        return stopped_s(writer)


def measure(rows: int, runs: int) -> Result:
    result: Result = {"benchmark": "prediction_log", "rows": rows, "runs": runs, "writer_start_s": round(start_s(), 2)}
    met = True
    for size in SIZES:
        once(rows // 10, size)
        timed = [once(rows, size) for _ in range(runs)]
        middle = {kind: round(median(run[kind] for run in timed), 2) for kind in timed[0]}
        say(f"  batches of {size}: worker {middle['worker']} us a row, writer {middle['writer']}")
        result[f"worker_us_batch_{size}"] = middle["worker"]
        result[f"worker_target_us_batch_{size}"] = TARGETS_US[size]
        result[f"writer_us_batch_{size}"] = middle["writer"]
        result[f"list_floor_us_batch_{size}"] = middle["floor"]
        met = met and middle["worker"] <= TARGETS_US[size]
    result["met"] = met
    return result


def main() -> None:
    options = parser(str(__doc__), runs=3, workload=False)
    options.add_argument("--rows", type=int, default=ROWS, help="rows a run")
    arguments = options.parse_args()
    finish(measure(arguments.rows, arguments.runs), as_json=arguments.json)


if __name__ == "__main__":
    main()
