"""The workload's 15 features, as a user of unisono writes them, and its log as arrays that the kernel takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

import unisono as un
from benchmarks.workload import PLACES, VIEW, WINDOWS, Values, Workload
from unisono.kernel import Events


def view(values: Values) -> un.FeatureView:
    value = un.Decimal(places=PLACES) if values == "decimal" else un.Float64
    schema = {"id": un.Int64, "key": un.Int64, "value": value}
    source = un.Source("events", schema=schema, event_time="time", id="id")
    aggregations = [un.count(), un.sum("value"), un.mean("value"), un.max("value"), un.std("value")]
    return un.FeatureView(VIEW, source, key="key", windows=list(WINDOWS), aggregations=aggregations)


@dataclass(frozen=True, slots=True)
class Log:
    """The workload's events in log order; a decimal is an int64 of hundredths, a key is its slot."""

    key: NDArray[np.int32]
    time: NDArray[np.int64]
    value: NDArray[np.int64] | NDArray[np.float64]
    id: NDArray[np.int64]

    @property
    def unit(self) -> float:
        return 10.0**PLACES if self.value.dtype == np.int64 else 1.0

    def __len__(self) -> int:
        return len(self.key)

    def where(self, chosen: NDArray[np.bool_]) -> Log:
        return Log(self.key[chosen], self.time[chosen], self.value[chosen], self.id[chosen])

    def batch(self, start: int, stop: int) -> Events:
        """The events start..stop as one batch for the kernel."""
        part = slice(start, stop)
        time = self.time[part]
        return Events(self.key[part], time, time, [self.value[part]], self.id[part], None)


def read_log(workload: Workload) -> Log:
    frame = pl.read_parquet(workload.events_path)
    value = frame["value"]
    if workload.values == "decimal":
        value = value.to_physical().cast(pl.Int64)
    return Log(
        key=frame["key"].to_numpy().astype(np.int32),
        time=frame["time"].to_physical().to_numpy(),
        value=value.to_numpy(),
        id=frame["id"].to_numpy(),
    )
