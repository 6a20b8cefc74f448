"""A handful of flights in the archive's own form."""

from __future__ import annotations

from typing import Any

import polars as pl

_FLIGHT: dict[str, Any] = {
    "year": 2013,
    "month": 6,
    "day": 1,
    "sched_dep_time": 1200,
    "dep_time": 1205,
    "dep_delay": 5,
    "sched_arr_time": 1330,
    "arr_time": 1330,
    "arr_delay": 0,
    "carrier": "UA",
    "flight": 1,
    "tailnum": "N1",
    "origin": "EWR",
    "dest": "ORD",
    "air_time": 115,
    "distance": 719,
}
_WEATHER: dict[str, Any] = {
    "origin": "EWR",
    "temp": 39.02,
    "humid": 59.37,
    "precip": 0.01,
    "visib": 10.0,
    "pressure": 1012.3,
    "wind_gust": None,
    "wind_speed": 10.35702,
    "time_hour": "2013-06-01T16:00:00Z",
}


def flights(*changes: dict[str, Any]) -> pl.DataFrame:
    """A flight from Newark to Chicago for each set of changes; NUMBER after number."""
    rows = [{**_FLIGHT, "flight": number, **change} for number, change in enumerate(changes, 1)]
    table = pl.DataFrame(rows, schema={name: type(value) for name, value in _FLIGHT.items()})
    local = pl.datetime("year", "month", "day", pl.col("sched_dep_time") // 100, time_zone="America/New_York")
    utc = local.dt.convert_time_zone("UTC").dt.to_string("%Y-%m-%dT%H:%M:%SZ")
    return table.with_columns(utc.alias("time_hour")).with_row_index("row")


def cancelled(**change: Any) -> dict[str, Any]:
    """The changes that make a flight a cancelled one."""
    never = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "tailnum")
    return {**dict.fromkeys(never), **change}


def weather(*changes: dict[str, Any]) -> pl.DataFrame:
    """An observation for each set of changes."""
    rows = [{**_WEATHER, **change} for change in changes]
    return pl.DataFrame(rows, schema_overrides={"wind_gust": pl.Float64})


def airports() -> pl.DataFrame:
    """Three destinations; Puerto Rico is missing, as in the archive."""
    zones = {"ORD": "America/Chicago", "LAX": "America/Los_Angeles", "PBI": "America/New_York"}
    return pl.DataFrame({"faa": list(zones), "tzone": list(zones.values())})


def planes() -> pl.DataFrame:
    """One aircraft."""
    return pl.DataFrame({"tailnum": ["N1"], "year": [2001], "seats": [120]})


def tables(*changes: dict[str, Any]) -> dict[str, pl.DataFrame]:
    """All tables of the archive."""
    return {
        "flights": flights(*changes).drop("row"),
        "weather": weather({}),
        "airports": airports(),
        "planes": planes(),
    }
