"""A predictor with columns of many kinds, and models for it."""

from __future__ import annotations

import numpy as np
import polars as pl

from unisono.drivers.project import Project
from unisono.spec.active import Version

DEFINITIONS = """
import unisono as un

taps = un.Source("taps", {"user": un.String, "cents": un.Float64}, event_time="at")
by_user = un.FeatureView("by_user", taps, key="user", windows=["1h"], aggregations=[un.count(), un.mean("cents")])

@un.transform
def doubled(request):
    return {"double": request["area"] * 2.0}

rent = un.Predictor(
    "rent",
    request={
        "user": un.String, "area": un.Float64, "rooms": un.Int64, "price": un.Decimal(places=2), "old": un.Bool,
        "sketch": un.Tensor("Float32", shape=(2, 2)),
    },
    time="asked_at", features=[by_user], derive=[doubled],
)
"""
NUMBERS = ["rooms", "area", "by_user__cents_mean_1h", "price", "old", "double", "by_user__count_1h"]


def sample(rows: int = 200, seed: int = 1) -> pl.DataFrame:
    """Requests with their features; some values are null."""
    random = np.random.default_rng(seed)
    area = random.uniform(20, 150, rows)
    frame = pl.DataFrame(
        {
            "user": random.choice(["a", "b"], rows),
            "area": area,
            "rooms": random.integers(1, 6, rows),
            "price": random.integers(1000, 90000, rows) / 100,
            "old": random.random(rows) < 0.5,
            "sketch": pl.Series(random.normal(size=(rows, 2, 2)).astype(np.float32)),
            "by_user__count_1h": random.integers(0, 9, rows).astype(float),
            "by_user__cents_mean_1h": random.normal(size=rows),
            "double": area * 2.0,
            "asked_at": pl.datetime_range(
                pl.datetime(2026, 1, 1), pl.datetime(2026, 2, 1), "1h", time_zone="UTC", eager=True
            )[:rows].cast(pl.Datetime("us", "UTC")),
        }
    )
    gaps = pl.Series(random.random(rows) < 0.1)
    some = ("area", "rooms", "price", "old", "by_user__cents_mean_1h", "double")
    return frame.with_columns(pl.when(gaps).then(None).otherwise(pl.col(name)).alias(name) for name in some)


def register(project: Project, model: object) -> Version:
    """The version that a fitted model becomes; the first one answers."""
    return project.register("rent", model, sample=sample()).version


def fit(model: object, columns: list[str] = NUMBERS) -> object:
    """A model that is fitted to numbers of the sample."""
    rows = sample().select(pl.col(columns).cast(pl.Float64).fill_null(0.0))
    target = rows.select(pl.sum_horizontal(pl.all())).to_series().to_numpy()
    fitted: object = model.fit(rows.to_pandas(), target)  # type: ignore[attr-defined]
    return fitted
