"""When each flight was due to leave, left, was due to land and landed, as instants; and how far the data agree.

A delay is a difference of instants, a clock time is not: it lacks its day, and on two days of the year its offset. So

    departure          = scheduled departure + departure delay
    scheduled arrival  = the instant nearest to the usual duration after the scheduled departure
                         at which the destination's clocks show the scheduled arrival time
    arrival            = scheduled arrival + arrival delay

and the clock times of departure and arrival, which are not used above, check the result.
"""

from __future__ import annotations

import polars as pl

from examples.flights.clock import ORIGIN_ZONE, clock_minutes, minutes_of_day, nearest_showing, utc, with_zones

# Median scheduled gate-to-gate time is 50 minutes + 1 minute per 7.6 miles; scheduled times keep within 2 hours of it,
# and only a guess 12 hours off would choose another day.
_GROUND_MINUTES = 50
_MILES_PER_MINUTE = 7.6

_MOST_GROUND_MINUTES = 300  # taxiing out and in; the longest of the year is 235


def with_instants(flights: pl.DataFrame, airports: pl.DataFrame) -> pl.DataFrame:
    """Adds `sched_dep`, `left_at`, `sched_arr`, `landed_at` (null: did not happen) and the destination's `zone`."""
    local = pl.datetime("year", "month", "day") + pl.duration(minutes=minutes_of_day("sched_dep_time"))
    flights = with_zones(flights, airports).with_columns(sched_dep=utc(local, ORIGIN_ZONE))
    flights = flights.with_columns(left_at=pl.col("sched_dep") + pl.duration(minutes="dep_delay"))
    parts = [_with_arrival(part, str(zone)) for (zone,), part in flights.group_by("zone", maintain_order=True)]
    return pl.concat(parts).sort("row")


def _with_arrival(flights: pl.DataFrame, zone: str) -> pl.DataFrame:
    usual = (_GROUND_MINUTES + pl.col("distance") / _MILES_PER_MINUTE).round().cast(pl.Int64)
    guess = pl.col("sched_dep") + pl.duration(minutes=usual)
    scheduled = nearest_showing(minutes_of_day("sched_arr_time"), near=guess, zone=zone)
    flights = flights.with_columns(sched_arr=scheduled)
    flights = flights.with_columns(landed_at=pl.col("sched_arr") + pl.duration(minutes="arr_delay"))
    shown = clock_minutes(pl.col("landed_at"), zone)
    return flights.with_columns(arr_clock_off=_wrapped(shown - minutes_of_day("arr_time")))


def _wrapped(minutes: pl.Expr) -> pl.Expr:
    """A difference of clock times, in -720..719 minutes."""
    return (minutes + 720) % 1440 - 720


def check(flights: pl.DataFrame) -> dict[str, int]:
    """How often something special or inconsistent was met, by what it is."""
    stated = pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC")
    left_clock = clock_minutes(pl.col("left_at"), ORIGIN_ZONE)
    elapsed = (pl.col("landed_at") - pl.col("left_at")).dt.total_minutes()
    ground = elapsed - pl.col("air_time")
    minutes_late = minutes_of_day("sched_dep_time") + pl.col("dep_delay")
    conditions = {
        "scheduled departure at a time that clocks skipped": pl.col("sched_dep").is_null(),
        "scheduled hour differs from the file's own UTC hour": pl.col("sched_dep").dt.truncate("1h") != stated,
        "departure clock time differs from scheduled + delay": _wrapped(left_clock - minutes_of_day("dep_time")) != 0,
        "arrival clock time differs from scheduled + delay": pl.col("arr_clock_off") != 0,
        "ground time (elapsed - air time) outside 0 to 300 minutes": ~ground.is_between(0, _MOST_GROUND_MINUTES),
        "left more than 12 hours late": pl.col("dep_delay") > 720,
        "left after local midnight of the scheduled day": minutes_late >= 1440,
        "clock times written 2400": (pl.col("dep_time") == 2400) | (pl.col("arr_time") == 2400),
        "destination not in airports.csv": ~pl.col("dest_listed"),
        "cancelled (never left)": pl.col("dep_time").is_null(),
        "diverted (left, no arrival delay)": pl.col("dep_time").is_not_null() & pl.col("arr_delay").is_null(),
        "no tail number (all of them cancelled)": pl.col("tailnum").is_null(),
    }
    counts = flights.select(condition.sum().alias(name) for name, condition in conditions.items())
    return {name: int(count) for name, count in counts.row(0, named=True).items()}
