"""A registry of 500 predictors, in SQLite and in PostgreSQL: list them, load the champion's files, switch the champion.

Every predictor has two versions of a LightGBM model of 200 trees with 31 leaves over 30 columns. A list is one call for
all predictors; a load finds the champion of one, reads its artifact, judges and hashes all of it; a switch makes the
other version the champion if the one expected still is, and is over when that is on the disk. Predictors are drawn at
random. Both databases are as they are by default, on this machine; PostgreSQL is asked over a socket.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles

import numpy as np
import polars as pl
from lightgbm import LGBMClassifier

import unisono as un
from benchmarks.harness import Result, finish, parser, say
from tests.postgres import NoPostgresError, running
from unisono.models import Session, build_graph, choose_golden, import_model, make_passport, verify
from unisono.spec.serialize import to_json
from unisono.store.artifacts import Artifact, make_artifact
from unisono.store.registry import Registry

PREDICTORS = 500
CALLS = 200
TARGET_MS = 50.0
TREES, LEAVES, ROWS = 200, 31, 20_000
COLUMNS = [f"x{number}" for number in range(30)]


def artifacts(names: list[str]) -> Iterator[tuple[Artifact, Artifact]]:
    """Two versions of each predictor, all with the same graph."""
    files = model_files()
    for name in names:
        spec = {"spec.json": to_json(predictor(name))}
        one, other = (make_artifact(name, {**files, **spec, "metrics.json": b'{"number":%d}' % n}) for n in range(2))
        yield one, other


def predictor(name: str) -> un.Predictor:
    return un.Predictor(name, request=dict.fromkeys(COLUMNS, un.Float64), time="at", features=())


def model_files() -> dict[str, bytes]:
    """A fitted model as the files of an artifact."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(ROWS, len(COLUMNS)))
    truth = table[:, 0] + table[:, 1] * table[:, 2] + rng.normal(size=ROWS) > 0
    model = LGBMClassifier(n_estimators=TREES, num_leaves=LEAVES, verbose=-1).fit(table, truth, feature_name=COLUMNS)
    imported = import_model(model, inputs=dict.fromkeys(COLUMNS, un.Float64))
    graph = build_graph(predictor("any"), (), imported, ())
    sample = pl.DataFrame(table[:64], schema=COLUMNS)
    golden = choose_golden(Session(graph.onnx), graph.features_of(sample), graph.encode(sample, "sample"))
    passport = make_passport(verify(graph, imported, sample), golden_rows=golden.rows)
    return {"graph.onnx": graph.onnx, "golden.json": golden.to_bytes(), "passport.json": passport.to_bytes()}


def fill(registries: Mapping[str, Registry], names: list[str]) -> int:
    """Add the versions to every registry; returns the bytes of one artifact."""
    size = 0
    for number, versions in enumerate(artifacts(names)):
        size = len(versions[0].to_bytes())
        for registry in registries.values():
            for artifact in versions:
                registry.promote(registry.add(artifact))
        if number % 100 == 99:
            say(f"  {number + 1} predictors")
    return size


def calls_of(registry: Registry, names: list[str], chance: random.Random) -> dict[str, Callable[[], object]]:
    """What is timed; load and switch each of one predictor drawn at random."""
    versions = {name: deque(entry.version for entry in registry.versions(name)) for name in names}

    def load() -> object:
        return registry.artifact(registry.active(chance.choice(names)))

    def switch() -> object:
        of_one = versions[chance.choice(names)]
        of_one.rotate()  # the champion was last
        return registry.promote(of_one[-1], expected=of_one[0])

    return {"list": registry.predictors, "load": load, "switch": switch}


def time_calls(call: Callable[[], object], calls: int) -> list[float]:
    """Milliseconds of each, by the clock."""
    spent = []
    for _ in range(calls):
        started = time.perf_counter()
        call()
        spent.append((time.perf_counter() - started) * 1e3)
    return spent


def measure(registries: Mapping[str, Registry], runs: int, predictors: int) -> Result:
    """Median over the runs of the median and the 99th percentile within each; the CPU of this process is the mean."""
    names = [f"predictor_{number:03}" for number in range(predictors)]
    say(f"filling {' and '.join(registries)}")
    result: Result = {"benchmark": "registry", "predictors": predictors, "artifact_bytes": fill(registries, names)}
    worst = 0.0
    for database, registry in registries.items():
        for what, call in calls_of(registry, names, random.Random(1)).items():
            time_calls(call, 5)
            started = time.process_time()
            percentiles = [quantiles(time_calls(call, CALLS), n=100) for _ in range(runs)]
            cpu = (time.process_time() - started) * 1e3 / (runs * CALLS)
            p50, p99 = (median(run[place] for run in percentiles) for place in (49, 98))
            say(f"  {database}, {what}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, CPU {cpu:.2f} ms")
            figures = {"p50": p50, "p99": p99, "cpu": cpu}
            result |= {f"{database}_{what}_{name}_ms": round(value, 2) for name, value in figures.items()}
            worst = max(worst, p99)
    return {**result, "target_ms": TARGET_MS, "met": worst < TARGET_MS}


def main() -> None:
    options = parser(str(__doc__), runs=3, workload=False)
    options.add_argument("--predictors", type=int, default=PREDICTORS, help="fewer, to try things out")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        urls = {"sqlite": str(folder / "registry.sqlite")}
        try:
            urls["postgresql"] = stack.enter_context(running(durable=True)).database()
        except NoPostgresError as error:
            say(f"without PostgreSQL: {error}")
        registries = {database: Registry(url, str(folder / "artifacts")) for database, url in urls.items()}
        for registry in registries.values():
            stack.callback(registry.close)
        finish(measure(registries, arguments.runs, arguments.predictors), as_json=arguments.json)


if __name__ == "__main__":
    main()
