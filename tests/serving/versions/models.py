"""Many predictors with real models, registered and prepared: what a keeper would have done."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from lightgbm import LGBMClassifier

import unisono as un
from tests.serving.versions.served import COLUMNS, ROWS, Served, plan_of
from unisono.drivers.serving.prepared import prepare
from unisono.spec.active import Version
from unisono.spec.serialize import to_json
from unisono.store.artifacts import make_artifact
from unisono.store.registry import Registry

DEFINITION = """
import unisono as un

fit = un.Predictor("fit", request={f"f{number}": un.Float64 for number in range(8)}, time="asked_at", features=[])
"""


class Fitted(NamedTuple):
    """A model as files of an artifact, and what it answers to ROWS."""

    files: dict[str, bytes]
    scores: list[list[float]]


@cache
def fitted(folder: Path, seed: int, trees: int) -> Fitted:
    """A model that nobody else has."""
    root = folder / f"fit{seed}"
    root.mkdir()
    (root / "unisono.toml").write_text('definitions = "definitions.py"\n')
    (root / "definitions.py").write_text(DEFINITION)
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(1500, len(COLUMNS)))
    label = table[:, 0] * table[:, seed % 8] + rng.normal(size=1500) > 0
    model = LGBMClassifier(n_estimators=trees, num_leaves=31, verbose=-1, n_jobs=1)
    model.fit(table, label, feature_name=COLUMNS)
    project = un.load(root)
    registered = project.register("fit", model, sample=pl.DataFrame(table[:100], COLUMNS))
    files = dict(project.registry.artifact(registered.version).files)
    outputs = project.scorer("fit").of_rows(plan_of("fit").columns).score_rows(ROWS, np.empty((len(ROWS), 0)))
    return Fitted(files, outputs["probability"].tolist())


def registered(registry: Registry, name: str, model: Fitted) -> Version:
    """A model as a version of a predictor of that name."""
    spec = un.Predictor(name, request=dict.fromkeys(COLUMNS, un.Float64), time="asked_at", features=[])
    return registry.add(make_artifact(name, {**model.files, "spec.json": to_json(spec)}), by="ada")


def prepared(folder: Path, count: int, *, models: int, trees: int) -> list[Served]:
    """So many predictors, with so many different models among them."""
    names = [f"m{number}" for number in range(count)]
    return _prepared(folder, [(name, number % models) for number, name in enumerate(names)], trees)


def versions(folder: Path, count: int, *, trees: int = 20) -> list[Served]:
    """So many versions of one predictor, each another model."""
    return _prepared(folder, [("m0", number) for number in range(count)], trees)


def _prepared(folder: Path, wanted: Sequence[tuple[str, int]], trees: int) -> list[Served]:
    registry = Registry(str(folder / "registry.sqlite"), str(folder / "artifacts"))
    found: list[Served] = []
    for name, seed in wanted:
        model = fitted(folder, seed, trees)
        version = registered(registry, name, model)
        path = prepare(registry, version, plan_of(name), folder / "prepared").path
        found.append(Served(name, version.id, str(path), model.scores))
    registry.close()
    return found
