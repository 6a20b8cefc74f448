"""Writes the workload of the serving benchmark: `python -m benchmarks.serving.generate FOLDER`.

The models are LightGBM's, 200 trees with 31 leaves each: over the request's 30 floats, and over these and 15 window
features. The features' log ends in the future. A request that says no time is then asked at the log's time, so that all
windows have events in them whenever the benchmark is run.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from lightgbm import LGBMClassifier
from numpy.typing import NDArray

import unisono as un
from benchmarks.generate import SEED, draw_keys, instants
from benchmarks.scores import COLUMNS, DEFINITIONS, LEAVES, TREES
from benchmarks.serving.workload import FORMS, KEY, KEYED, ROWS, SLOW, SWITCHED, WIDE, Files, Form, configure
from benchmarks.workload import HOUR_US
from unisono.drivers.project import Project
from unisono.models.importers import import_model

EVENTS, KEYS = 200_000, 4_000
END_US = 2_500_000_000_000_000  # 2049-03-22
SPAN_US = 30 * 24 * HOUR_US
TRAINING_ROWS, SAMPLE_ROWS = 50_000, 2_000
SLOW_TREES, SLOW_TRAINING_ROWS = 10 * TREES, 5_000

KEYED_DEFINITIONS = f"""
import unisono as un

payments = un.Source(
    "payments", {{"id": un.Int64, "{KEY}": un.Int64, "amount": un.Decimal(places=2)}}, event_time="time", id="id"
)
by_account = un.FeatureView(
    "by_account", payments, key="{KEY}", windows=["1h", "1d", "7d"],
    aggregations=[un.count(), un.sum("amount"), un.mean("amount"), un.max("amount"), un.std("amount")],
)
{KEYED} = un.Predictor(
    "{KEYED}", request={{"{KEY}": un.Int64, **{{name: un.Float64 for name in {list(COLUMNS)}}}}},
    features=[by_account], time="asked_at",
)
"""

Matrix = NDArray[np.float64]


def write_wide(files: Files, name: str, models: Sequence[LGBMClassifier]) -> Project:
    """A project over the request's floats; the last model's version is the champion."""
    project = begin_project(files.project(name), DEFINITIONS)
    sample = frame(training_floats()[:SAMPLE_ROWS]).with_columns(at(END_US))
    for model in models:
        project.register(WIDE, model, sample=sample)
    project.stream(WIDE)
    return project


def write_keyed(files: Files) -> Project:
    """A project over these floats and window features."""
    project = begin_project(files.project(KEYED), KEYED_DEFINITIONS)
    write_events(project.root / "payments.parquet")
    (view,) = project.ready(KEYED).spec.features
    keys = draw_keys(np.random.default_rng([SEED, 7]), KEYS, SAMPLE_ROWS)
    asked = frame(training_floats()[:SAMPLE_ROWS], keys).with_columns(at(END_US))
    sample = un.point_in_time([view], asked, {"payments": str(project.root / "payments.parquet")}, time="asked_at")
    known = sample.select(pl.col(view.feature_names).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    again = np.resize(known, (TRAINING_ROWS, known.shape[1]))
    model = fitted(np.hstack([training_floats(), again]), [*COLUMNS, *view.feature_names])
    project.register(KEYED, model, sample=sample)
    project.stream(KEYED)
    return project


def begin_project(folder: Path, definitions: str) -> Project:
    folder.mkdir(parents=True)
    (folder / "definitions.py").write_text(definitions)
    configure(folder)
    return un.load(folder)


def write_events(path: Path) -> None:
    rng = np.random.default_rng([SEED, 5])
    times = np.sort(rng.integers(END_US - SPAN_US, END_US, EVENTS))
    times[-1] = END_US
    cents = np.rint(rng.lognormal(3.0, 1.0, EVENTS) * 100).astype(np.int64)
    amount = (pl.Series("amount", cents).cast(pl.Decimal(38, 2)) / 100).cast(pl.Decimal(12, 2))
    columns = {"id": np.arange(EVENTS), KEY: draw_keys(rng, KEYS, EVENTS), "amount": amount, "time": instants(times)}
    pl.DataFrame(columns).write_parquet(path)


def training_floats() -> Matrix:
    return np.random.default_rng(0).normal(size=(TRAINING_ROWS, len(COLUMNS)))


def fitted(matrix: Matrix, names: Sequence[str], *, trees: int = TREES, seed: int = 1) -> LGBMClassifier:
    """Learned from the first columns; the others are noise, and in use all the same."""
    noise = np.random.default_rng(seed).normal(size=len(matrix))
    label = matrix[:, :10].sum(axis=1) + np.sin(3 * matrix[:, 10]) + noise > 0
    model = LGBMClassifier(n_estimators=trees, num_leaves=LEAVES, verbose=-1, n_jobs=1)
    return model.fit(matrix, label, feature_name=list(names))


def frame(floats: Matrix, keys: NDArray[np.int64] | None = None) -> pl.DataFrame:
    rows = pl.DataFrame(floats, schema=list(COLUMNS))
    return rows if keys is None else rows.select(pl.Series(KEY, keys), pl.all())


def at(time: int) -> pl.Expr:
    """The column with the requests' own time."""
    return pl.lit(time).cast(pl.Datetime("us", "UTC")).alias("asked_at")


def write_expected(files: Files, project: Project, requests: pl.DataFrame) -> None:
    """By the batch driver."""
    (name,) = project.definitions.predictors
    asked = requests.with_columns(at(END_US))
    found = {
        entry.version.id: project.predict(name, asked, version=entry.version.id)["probability"].to_list()
        for entry in project.registry.versions(name)
    }
    (files.folder / f"expected-{project.root.name}.json").write_text(json.dumps(found))


def body_of(form: Form, row: dict[str, Any]) -> object:
    floats = {name: row[name] for name in COLUMNS}
    if form == "tensor":
        tensor = {"name": "matrix", "shape": [1, len(COLUMNS)], "datatype": "FP64", "data": list(floats.values())}
        return {"inputs": [tensor]}
    return {"named": floats, "keyed": row, "listed": {"rows": [floats]}}[form]


def write_bodies(files: Files, requests: pl.DataFrame) -> None:
    for form in FORMS:
        lines = [json.dumps(body_of(form, row), separators=(",", ":")) for row in requests.to_dicts()]
        files.bodies(form).write_text("\n".join(lines) + "\n")


def main(folder: str) -> None:
    """Writes beside the folder and renames in the end: it is there whole or not at all."""
    partial = Path(f"{folder}.{os.getpid()}.part")
    files = Files(partial)
    floats = np.random.default_rng([SEED, 6]).normal(size=(ROWS, len(COLUMNS)))
    keys = draw_keys(np.random.default_rng([SEED, 8]), KEYS, ROWS)
    try:
        write_all(files, floats, keys)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_all(files: Files, floats: Matrix, keys: NDArray[np.int64]) -> None:
    first, second = (fitted(training_floats(), COLUMNS, seed=seed) for seed in (1, 2))
    slow = fitted(training_floats()[:SLOW_TRAINING_ROWS], COLUMNS, trees=SLOW_TREES)
    for name, models in ((WIDE, [first]), (SWITCHED, [second, first]), (SLOW, [slow])):
        project = write_wide(files, name, models)
        write_expected(files, project, frame(floats))
    write_expected(files, write_keyed(files), frame(floats, keys))
    write_bodies(files, frame(floats, keys))
    files.graph.write_bytes(import_model(first, inputs=project.ready(WIDE).inputs).graph)


if __name__ == "__main__":
    main(*sys.argv[1:])
