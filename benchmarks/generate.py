"""Writes the workload's Parquet files, the same rows on each run: `python -m benchmarks.generate VALUES EVENTS`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.workload import PLACES, SPAN_US, START_US, ZIPF, Values, Workload

SEED = 2026


def popularity(keys: int) -> NDArray[np.float64]:
    """Cumulative share of the keys by rank: bounded Zipf."""
    share = np.arange(1, keys + 1, dtype=np.float64) ** -ZIPF
    return np.asarray(np.cumsum(share) / share.sum())


def draw_keys(rng: np.random.Generator, keys: int, rows: int) -> NDArray[np.int64]:
    """Keys by popularity; which number is popular is shuffled, the same way for every `rng`."""
    number_of = np.random.default_rng([SEED, 0]).permutation(keys).astype(np.int64)
    rank = np.searchsorted(popularity(keys), rng.random(rows), side="right")
    return np.asarray(number_of[np.minimum(rank, keys - 1)])


def draw_times(rng: np.random.Generator, rows: int) -> NDArray[np.int64]:
    """Instants in microseconds, ascending, uniform over the span."""
    return np.asarray(np.sort(rng.integers(START_US, START_US + SPAN_US, rows)))


def instants(times: NDArray[np.int64]) -> pl.Series:
    return pl.Series("time", times).cast(pl.Datetime("us", "UTC"))


def amounts(rng: np.random.Generator, rows: int, values: Values) -> pl.Series:
    """Log-normal amounts around 20, from cents to thousands."""
    amount = rng.lognormal(3.0, 1.0, rows)
    if values == "float":
        return pl.Series("value", amount)
    cents = np.rint(amount * 10**PLACES).astype(np.int64)
    # Exact: a decimal of 38 digits divided by a power of ten.
    decimal = pl.Series("value", cents).cast(pl.Decimal(38, PLACES)) / 10**PLACES
    return decimal.cast(pl.Decimal(12, PLACES))


def events(workload: Workload) -> pl.DataFrame:
    rng = np.random.default_rng([SEED, 1])
    key = draw_keys(rng, workload.keys, workload.events)
    time = instants(draw_times(rng, workload.events))
    value = amounts(rng, workload.events, workload.values)
    return pl.DataFrame({"id": np.arange(workload.events), "key": key, "time": time, "value": value})


def requests(workload: Workload) -> pl.DataFrame:
    rng = np.random.default_rng([SEED, 2])
    key = draw_keys(rng, workload.keys, workload.requests)
    time = instants(draw_times(rng, workload.requests))
    return pl.DataFrame({"request": np.arange(workload.requests), "key": key, "time": time})


def write(frame: pl.DataFrame, path: Path) -> None:
    """Whole or not at all, also when two benchmarks start at once."""
    part = path.with_suffix(f".{os.getpid()}.part")
    frame.write_parquet(part)
    part.replace(path)


def main(values: str, rows: str) -> None:
    workload = Workload("decimal" if values == "decimal" else "float", int(rows))
    write(events(workload), workload.events_path)
    write(requests(workload), workload.requests_path)


if __name__ == "__main__":
    main(*sys.argv[1:])
