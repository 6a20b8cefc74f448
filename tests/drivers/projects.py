"""A small project on disk, with a model."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import unisono as un
from tests.drivers.logs import make_world
from unisono.drivers.project import Project

DEFINITIONS = """
import unisono as un

taps = un.Source(
    "taps",
    {"user": un.String, "shop": un.Int64, "cents": un.Decimal(places=2), "weight": un.Float64, "ok": un.Bool},
    event_time="at", ingest_time="known_at", id="tap", retraction="undone", remember_ids="2h",
)

@un.transform
def dearness(taps):
    return {"dear": taps["cents"] > 50}

by_user = un.FeatureView(
    "by_user", taps, key="user", derive=dearness, windows=["1h", "3h"],
    aggregations=[un.count(), un.mean("cents"), un.last("weight"), un.mean("dear")],
)
by_both = un.FeatureView("by_both", taps, key=["user", "shop"], aggregations=[un.sum("cents"), un.count("ok")])

@un.transform
def hour(request):
    return {"hour": request["asked_at"].astype("int64") // 3_600_000_000 % 24}

@un.transform
def ratio(request, features):
    return {"ratio": features["by_user__cents_mean_1h"] / (1.0 + features["by_user__count_3h"])}

risk = un.Predictor(
    "risk",
    request={"user": un.String, "shop": un.Int64},
    time="asked_at",
    features=[by_user, by_both],
    derive=[hour, ratio],
    label=un.Label(taps, "dear", on="user", within="2h"),
)
"""
CONFIG = """
definitions = "definitions.py"

[events]
taps = "data/taps.parquet"

[requests]
risk = "data/requests.parquet"
"""
INPUTS = ["shop", "hour", "ratio", "by_user__count_1h", "by_user__cents_mean_3h", "by_both__cents_sum_all"]


def make_project(directory: Path, *, seed: int = 51, events: int = 300, requests: int = 200) -> Project:
    """A project with data, not yet with a model."""
    world = make_world(seed, events=events, requests=requests)
    (directory / "data").mkdir(parents=True)
    (directory / "definitions.py").write_text(DEFINITIONS)
    (directory / "unisono.toml").write_text(CONFIG)
    world.events["taps"].write_parquet(directory / "data" / "taps.parquet")
    world.requests.write_parquet(directory / "data" / "requests.parquet")
    return un.load(directory)


def register(project: Project) -> str:
    """Fit a small model and let it answer; returns its version's id."""
    from lightgbm import LGBMClassifier

    frame = project.training_frame("risk")
    rows = frame.filter(pl.col("dear").is_not_null())
    model = LGBMClassifier(n_estimators=5, num_leaves=4, min_data_in_leaf=5, verbose=-1, n_jobs=1)
    table = rows.select(pl.col(INPUTS).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    model.fit(table, rows.get_column("dear").to_numpy(), feature_name=INPUTS)
    return project.register("risk", model, sample=frame).version.id
