"""The frame in Polars: `python -m benchmarks.peers.polars_frame FORMULATION VALUES EVENTS REQUESTS OUT`.

`rolling` on the events alone, joined back to the requests as-of, answers another question: its windows end at the last
event before the request, not at the request. So each formulation lets requests take part as rows without a value.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

import polars as pl

from benchmarks.workload import AGGREGATIONS, FEATURES, PLACES, START_US, WINDOWS, feature

# Key and time in one integer, so that windows of one key never reach another: no grouping, one sort. Keys and times of
# the workload fit; 2**42 microseconds are 50 days, more than its span and its longest window together.
KEY_STRIDE = 1 << 42
AXIS = (pl.col("key") * KEY_STRIDE + (pl.col("time").to_physical() - START_US)).alias("axis")
VALUE = pl.col("value")
IS_REQUEST = pl.col("request").is_not_null()


def aggregate(window: str) -> list[pl.Expr]:
    values = (VALUE.count(), VALUE.sum(), VALUE.mean(), VALUE.max(), VALUE.std())
    return [value.alias(feature(name, window)) for name, value in zip(AGGREGATIONS, values, strict=True)]


def on_axis(events: pl.LazyFrame, requests: pl.LazyFrame) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    return events.select(AXIS, VALUE), requests.select(AXIS, "request")


def off_axis(answers: pl.LazyFrame) -> pl.LazyFrame:
    time = (pl.col("axis") % KEY_STRIDE + START_US).cast(pl.Datetime("us", "UTC"))
    return answers.with_columns(key=pl.col("axis") // KEY_STRIDE, time=time)


def rolling(events: pl.LazyFrame, requests: pl.LazyFrame) -> pl.LazyFrame:
    """As the user guide has it: `rolling` by key, over events and requests in one frame."""
    rows = pl.concat([events, requests], how="diagonal").sort("key", "time", maintain_order=True).collect().lazy()
    windows = [
        rows.rolling("time", period=window, closed="right", group_by="key").agg(aggregate(window)).drop("key", "time")
        for window in WINDOWS
    ]
    return pl.concat([rows.drop("value"), *windows], how="horizontal").filter(IS_REQUEST)


def axis(events: pl.LazyFrame, requests: pl.LazyFrame) -> pl.LazyFrame:
    """`rolling` along one integer axis of key and time."""
    rows = pl.concat(on_axis(events, requests), how="diagonal").sort("axis", maintain_order=True)
    return off_axis(roll(rows))


def merged_axis(events: pl.LazyFrame, requests: pl.LazyFrame) -> pl.LazyFrame:
    """The same; events and requests are sorted apart and merged, which takes less than half the memory."""
    timed, asked = (frame.sort("axis") for frame in on_axis(events, requests))
    value = events.collect_schema()["value"]
    timed = timed.with_columns(request=pl.lit(None, pl.Int64))
    asked = asked.select("axis", pl.lit(None, value).alias("value"), "request")
    return off_axis(roll(timed.merge_sorted(asked, key="axis").collect().lazy()))


def roll(rows: pl.LazyFrame) -> pl.LazyFrame:
    features = [
        value.rolling("axis", period=f"{width}i", closed="right")
        for window, width in WINDOWS.items()
        for value in aggregate(window)
    ]
    return rows.select("axis", "request", *features).filter(IS_REQUEST)


def prefix(events: pl.LazyFrame, requests: pl.LazyFrame) -> pl.LazyFrame:
    """Differences of running totals, found as-of at both ends of each window; only the maxima are rolled.

    Right for decimals, whose totals are exact integers; floats cancel beyond the stated error.
    """
    rows = pl.concat(on_axis(events, requests), how="diagonal").sort("axis", maintain_order=True).collect().lazy()
    maxima = [
        VALUE.rolling_max_by("axis", f"{width}i", closed="right", min_samples=1).alias(feature("max", window))
        for window, width in WINDOWS.items()
    ]
    amount = VALUE.fill_null(0)
    totals = {"n": VALUE.is_not_null().cast(pl.Int64), "s": amount, "q": amount * amount}
    running = rows.select("axis", **{name: total.cum_sum() for name, total in totals.items()}).collect().lazy()
    answers = rows.select("axis", "request", *maxima).filter(IS_REQUEST).join_asof(running, on="axis")
    for window, width in WINDOWS.items():
        answers = difference(answers, running, window, width)
    return off_axis(answers)


def difference(answers: pl.LazyFrame, running: pl.LazyFrame, window: str, width: int) -> pl.LazyFrame:
    """Adds one window's features: totals at the request less totals at the window's start."""
    start = running.rename({"n": "n0", "s": "s0", "q": "q0", "axis": "start"})
    answers = answers.with_columns(start=pl.col("axis") - width).join_asof(start, on="start")
    n, s, q = (pl.col(name) - pl.col(f"{name}0").fill_null(0) for name in ("n", "s", "q"))
    variance = (n * q - s * s) / (n * (n - 1))
    named = {
        "count": n,
        "sum": s,
        "mean": pl.when(n > 0).then(s / n),
        "std": pl.when(n > 1).then(variance.sqrt()),
    }
    added = [value.alias(feature(name, window)) for name, value in named.items()]
    return answers.with_columns(added).drop("n0", "s0", "q0", "start")


FORMULATIONS: dict[str, Callable[[pl.LazyFrame, pl.LazyFrame], pl.LazyFrame]] = {
    "rolling": rolling,
    "axis": axis,
    "merged_axis": merged_axis,
    "prefix": prefix,
}


def in_units(names: Iterable[str]) -> list[pl.Expr]:
    # Polars divides by a constant through its reciprocal, which is off by a bit; by a column it divides.
    return [pl.col(name) / (pl.col(name) * 0 + 10.0**PLACES) for name in names if "count" not in name]


def main(formulation: str, values: str, events: str, requests: str, out: str) -> None:
    log = pl.scan_parquet(events).select("key", "time", "value")
    if values == "decimal":
        log = log.with_columns(VALUE.to_physical().cast(pl.Int64))
    answers = FORMULATIONS[formulation](log, pl.scan_parquet(requests))
    if values == "decimal":
        answers = answers.with_columns(in_units(FEATURES))
    answers.select("request", "key", "time", *FEATURES).collect().write_parquet(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
