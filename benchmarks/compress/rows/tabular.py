"""Tabular: a LightGBM model of 2,000 trees that says whether flights will be late, with a tenth of its artifact."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm
import polars as pl

from benchmarks.compress.bench import Bench, progress
from benchmarks.compress.datasets import flights
from benchmarks.compress.row import Figures, Row, at_least, at_most, figures
from benchmarks.harness import say
from examples.flights import train
from unisono.compress.recipe import recipe_of
from unisono.compress.report.document import ReportJson, Side, SliceChange

TREES = 2000
PRUNED: dict[str, Any] = {"step": "prune_trees", "keep": 0.04, "ridge": "chosen"}
"""As many splits as a tenth of the artifact has room for; the ridge is chosen by the validation rows."""
_SETTINGS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.02,
    "num_leaves": 31,
    "min_child_samples": 200,
    "colsample_bytree": 0.5,
    "random_state": 7,
    "deterministic": True,
    "force_row_wise": True,
    "n_jobs": 1,
    "verbose": -1,
}
_DATA = {"label": train.LABEL, "split": "part", "slices": ["carrier"]}
_CARRIERS = 5  # shown in a note


def run(bench: Bench) -> Row:
    """The row."""
    frame = flights.load(bench.folder)
    model = teacher(bench.folder, frame)
    pruned = _compressed(bench, frame, model, [PRUNED])
    splits = int(pruned.notes["prune_trees"]["splits"])
    peers = {
        "its first trees, as many splits": _compressed(bench, frame, _first_trees(model, splits), []),
        "fitted anew on the labels, as many splits": _compressed(bench, frame, _smaller(frame, splits), []),
    }
    return _row(pruned, peers)


def teacher(folder: Path, frame: pl.DataFrame) -> lightgbm.LGBMClassifier:
    """2,000 trees, fitted to the training rows once, for some minutes."""
    path = folder / f"flights-{TREES}.pickle"
    if not path.exists():
        say(f"  fitting {TREES} trees")
        path.write_bytes(pickle.dumps(_fitted(frame, TREES, _SETTINGS["learning_rate"])))
    model: lightgbm.LGBMClassifier = pickle.loads(path.read_bytes())
    return model


def _fitted(frame: pl.DataFrame, trees: int, rate: float) -> lightgbm.LGBMClassifier:
    rows = frame.filter(pl.col("part") == "train")
    columns = train.inputs([name for name in frame.columns if "__" in name])
    model = lightgbm.LGBMClassifier(n_estimators=trees, **{**_SETTINGS, "learning_rate": rate})
    return model.fit(train.matrix(rows, columns), train.truth(rows), feature_name=columns)


def _smaller(frame: pl.DataFrame, splits: int) -> lightgbm.LGBMClassifier:
    """As many splits, at the learning rate that suits so few trees: that of the example."""
    return _fitted(frame, max(1, splits // (_SETTINGS["num_leaves"] - 1)), 0.1)


def _first_trees(model: lightgbm.LGBMClassifier, splits: int) -> lightgbm.Booster:
    trees = max(1, splits // (_SETTINGS["num_leaves"] - 1))
    return lightgbm.Booster(model_str=model.booster_.model_to_string(num_iteration=trees))


def _compressed(bench: Bench, frame: pl.DataFrame, model: object, steps: Sequence[dict[str, Any]]) -> ReportJson:
    recipe = recipe_of({"steps": list(steps), "data": _DATA})
    project = flights.project(bench.folder)
    return project.compress("delay", recipe, model, data=frame, register=False, progress=progress()).report


def _row(pruned: ReportJson, peers: dict[str, ReportJson]) -> Row:
    original, result = pruned.original, pruned.result
    others = {
        name: _by_area(report.result, report if report.recipe["steps"] else None) for name, report in peers.items()
    }
    lost = original.metrics["auc"].value - result.metrics["auc"].value
    found = pruned.notes["prune_trees"]
    carriers = [one for one in pruned.slices if one.column == "carrier"]
    worst = "; ".join(_carrier(one) for one in carriers[:_CARRIERS])
    return Row(
        row="tabular",
        original=_by_area(original),
        result=_by_area(result, pruned),
        peers=others,
        targets=(
            at_least("graph, times smaller", original.graph_bytes / result.graph_bytes, 10),
            at_least("artifact, times smaller", original.size_bytes / result.size_bytes, 10),
            at_most("AUC lost", lost, 0.002),
        ),
        notes=(
            f"Accuracy is the AUC on {pruned.rows:,} flights of November and December; the model was fitted to those "
            "up to August, and September and October are there to choose by.",
            f"{found['trees_before']:,} trees with {found['splits_before']:,} splits became {found['trees']:,} trees "
            f"with {found['splits']:,}: keep = {PRUNED['keep']:g} is what a tenth of the artifact has room for, and "
            f"ridge = {found['ridge']:g} was chosen by the validation rows. "
            f"The graphs have {original.graph_bytes / 1e6:.2f} and {result.graph_bytes / 1e6:.2f} MB; the rest of each "
            "artifact is golden rows of 87 columns and definitions.",
            f"Carriers, of {len(carriers)}, that lost most, in points of right answers with intervals that hold "
            f"together: {worst}.",
        ),
    )


def _by_area(side: Side, report: ReportJson | None = None) -> Figures:
    """Figures with the AUC as accuracy."""
    area = side.metrics["auc"]
    return replace(figures(side, report), accuracy=area.value, accuracy_low=area.low, accuracy_high=area.high)


def _carrier(one: SliceChange) -> str:
    return f"{one.value} {one.change.value:+.1f} ({one.change.low:+.1f} to {one.change.high:+.1f}; {one.rows:,} rows)"
