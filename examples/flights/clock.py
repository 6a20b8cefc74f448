"""Local clock times to true instants.

The archive gives wall-clock times: departures at the origin (New York), arrivals at the destination. An instant is a
timestamp in UTC, microseconds.
"""

from __future__ import annotations

import polars as pl

ORIGIN_ZONE = "America/New_York"

ZONES_NOT_IN_AIRPORTS = {
    "BQN": "America/Puerto_Rico",  # Aguadilla
    "PSE": "America/Puerto_Rico",  # Ponce
    "SJU": "America/Puerto_Rico",  # San Juan
    "STT": "America/St_Thomas",  # Virgin Islands
}
"""Destinations that airports.csv does not list. Both zones keep UTC-4 all year."""

_FAR = pl.duration(days=3650)


def minutes_of_day(column: str) -> pl.Expr:
    """Minutes since local midnight of an hhmm number; 2400 is midnight of the next day."""
    return pl.col(column) // 100 * 60 + pl.col(column) % 100


def utc(local: pl.Expr, zone: str, *, second: bool = False) -> pl.Expr:
    """The instant at which the clocks of `zone` show `local`; null where clocks skip it.

    second: where clocks show it twice (they are set back), take the second time.
    """
    here = local.dt.replace_time_zone(zone, ambiguous="latest" if second else "earliest", non_existent="null")
    return here.dt.convert_time_zone("UTC")


def nearest_showing(minutes: pl.Expr, *, near: pl.Expr, zone: str) -> pl.Expr:
    """The instant closest to `near` at which the clocks of `zone` show `minutes` since midnight.

    The day is not in the data: a flight may land on the day before, of, or after its departure by local date.
    """
    midnight = near.dt.convert_time_zone(zone).dt.replace_time_zone(None).dt.truncate("1d")
    shown = [midnight + pl.duration(days=day) + pl.duration(minutes=minutes) for day in (-1, 0, 1)]
    instants = [utc(local, zone, second=second) for local in shown for second in (False, True)]
    gaps = [(instant - near).abs().fill_null(_FAR) for instant in instants]
    least = pl.min_horizontal(gaps)
    choices = [pl.when(gap == least).then(instant) for gap, instant in zip(gaps, instants, strict=True)]
    return pl.coalesce(choices)


def clock_minutes(instant: pl.Expr, zone: str) -> pl.Expr:
    """Minutes since local midnight that the clocks of `zone` show at `instant`."""
    here = instant.dt.convert_time_zone(zone)
    return here.dt.hour().cast(pl.Int64) * 60 + here.dt.minute().cast(pl.Int64)


def with_zones(flights: pl.DataFrame, airports: pl.DataFrame) -> pl.DataFrame:
    """Adds `zone`, the destination's time zone. Raises ValueError for an airport that neither table knows."""
    listed = airports.select(dest="faa", zone="tzone")
    known = pl.col("dest").replace_strict(ZONES_NOT_IN_AIRPORTS, default=None, return_dtype=pl.String)
    joined = flights.join(listed, on="dest", how="left", maintain_order="left")
    zoned = joined.with_columns(pl.col("zone").fill_null(known))
    if zoned["zone"].null_count():
        unknown = zoned.filter(pl.col("zone").is_null())["dest"].unique().sort().to_list()
        raise ValueError(f"flights: no time zone for {', '.join(unknown)}: add them to ZONES_NOT_IN_AIRPORTS")
    return zoned
