"""The year's flights as event logs and requests: typed Parquet files in `data/`, in true UTC instants.

Run `python -m examples.flights.data` to make them; the same archive always gives the same files.

What is known when (the archive does not say; these are this example's assumptions, and the whole of them):

- A departure is known the moment it happens.
- An arrival is reported 2 to 10 minutes after the landing; one in a hundred only 30 to 240 minutes after it.
- A weather observation carries its hour alone, and stations observe at any minute of it (mostly :51): it is known at
  the hour's end.
- A cancellation is known at the scheduled departure: the archive does not say when it was announced, and any earlier
  instant might be one at which nobody knew. So it is never among the flights that are due and have not left (`queue`).
- The aircraft that flies is known two hours before (the archive has only the one that flew, and none for some
  cancelled flights: `unknown`).

A cancelled or diverted flight has a request like any other (the answer is needed before anyone knows), but no arrival:
its label is null, and it is neither trained on nor scored.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from examples.flights import archive
from examples.flights.instants import check, with_instants

DATA = Path(__file__).parent / "data"
SUMMARY = "summary.json"
UNKNOWN_PLANE = "unknown"
ASKED_BEFORE = pl.duration(hours=2)

_FORMAT = 1  # raise it when the files change, and old ones are made again
_WIND_LIMIT_MPH = 200  # one observation says 1048 mph
_BLOCK_MINUTES = (pl.col("sched_arr") - pl.col("sched_dep")).dt.total_minutes().alias("block_minutes")
_DECIMALS = {"temp": 2, "humid": 2, "precip": 2, "visib": 2, "pressure": 1}


def prepare(folder: Path = DATA) -> dict[str, int]:
    """Makes the files in `folder` unless they are there; gives the counts that `check` and the tables came to."""
    summary = folder / SUMMARY
    if summary.exists():
        known = json.loads(summary.read_text())
        if known["format"] == _FORMAT and known["archive"] == archive.ARCHIVE.sha256:
            return dict(known["counts"])
    raw = archive.read(archive.ARCHIVE.fetch(folder))
    tables, counts = build(raw)
    for name, table in tables.items():
        _replace(folder / f"{name}.parquet", table)
    # Last, so that it stands for complete files.
    known = {"format": _FORMAT, "archive": archive.ARCHIVE.sha256, "counts": counts}
    summary.write_text(json.dumps(known, indent=1) + "\n")
    return counts


def _replace(path: Path, table: pl.DataFrame) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        table.write_parquet(Path(scratch) / path.name, compression="zstd")
        (Path(scratch) / path.name).replace(path)


def build(raw: Mapping[str, pl.DataFrame]) -> tuple[dict[str, pl.DataFrame], dict[str, int]]:
    """The files' tables by name, from the archive's tables, and the counts."""
    flights = _named(with_instants(raw["flights"].with_row_index("row"), raw["airports"]))
    flights = flights.with_columns(dest_listed=pl.col("dest").is_in(raw["airports"]["faa"].implode()))
    counts = check(flights)
    flights = flights.with_columns(pl.col("tailnum").fill_null(UNKNOWN_PLANE))
    tables = {
        "departures": _departures(flights),
        "queue": _queue(flights),
        "arrivals": _arrivals(flights),
        "cancellations": _cancellations(flights),
        "weather": _weather(raw["weather"]),
        "flights": _requests(flights, raw["planes"]),
    }
    counts |= {f"rows of {name}": table.height for name, table in tables.items()}
    counts["arrivals reported 30 minutes or more after landing"] = _late_reports(tables["arrivals"])
    counts["wind speeds over 200 mph, made null"] = int((raw["weather"]["wind_speed"] > _WIND_LIMIT_MPH).sum())
    return tables, counts


def _named(flights: pl.DataFrame) -> pl.DataFrame:
    day = pl.date("year", "month", "day").dt.to_string("%Y-%m-%d")
    number = pl.concat_str("carrier", "flight")
    return flights.with_columns(flight_id=pl.concat_str(day, number, "origin", "dest", separator="-"))


def _departures(flights: pl.DataFrame) -> pl.DataFrame:
    columns = ["flight_id", "carrier", "origin", "dest", "tailnum", "dep_delay", _BLOCK_MINUTES, "left_at"]
    return flights.filter(pl.col("left_at").is_not_null()).select(columns).sort("left_at", "flight_id")


def _queue(flights: pl.DataFrame) -> pl.DataFrame:
    left = flights.filter(pl.col("left_at").is_not_null())
    parts = [
        left.select("carrier", "origin", change=pl.lit(change, pl.Int64), changed_at=column)
        for change, column in ((1, "sched_dep"), (-1, "left_at"))
    ]
    return pl.concat(parts).sort("changed_at", maintain_order=True)


def _arrivals(flights: pl.DataFrame) -> pl.DataFrame:
    columns = ["flight_id", "carrier", "flight", "origin", "dest", "tailnum", "arr_delay", "landed_at", "reported_at"]
    reported = pl.col("landed_at") + pl.duration(minutes=_report_minutes())
    landed = flights.filter(pl.col("landed_at").is_not_null()).with_columns(reported_at=reported)
    return landed.select(columns).sort("reported_at", "flight_id")


def _report_minutes() -> pl.Expr:
    draw = pl.col("row").cast(pl.UInt64) * 2_654_435_761 % 2**32  # Knuth's multiplicative hash: fixed, and mixes well
    late = (draw // 2**8) % 100 == 0
    return pl.when(late).then(30 + (draw // 2**16) % 211).otherwise(2 + (draw // 2**16) % 9).cast(pl.Int64)


def _late_reports(arrivals: pl.DataFrame) -> int:
    return int(((arrivals["reported_at"] - arrivals["landed_at"]).dt.total_minutes() >= 30).sum())


def _cancellations(flights: pl.DataFrame) -> pl.DataFrame:
    columns = ["flight_id", "carrier", "origin", "dest", pl.col("sched_dep").alias("cancelled_at")]
    return flights.filter(pl.col("left_at").is_null()).select(columns).sort("cancelled_at", "flight_id")


def _weather(weather: pl.DataFrame) -> pl.DataFrame:
    hour = pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC")
    wind = pl.when(pl.col("wind_speed") <= _WIND_LIMIT_MPH).then("wind_speed").alias("wind_speed")
    decimals = [pl.col(name).round(places).cast(pl.Decimal(9, places)) for name, places in _DECIMALS.items()]
    table = weather.select("origin", *decimals, "wind_gust", wind, observed_at=hour)
    return table.with_columns(known_at=pl.col("observed_at") + pl.duration(hours=1)).sort("known_at", "origin")


def _requests(flights: pl.DataFrame, planes: pl.DataFrame) -> pl.DataFrame:
    aircraft = planes.select("tailnum", plane_year="year", seats="seats")
    planned = pl.len().over("origin", pl.col("sched_dep").dt.truncate("1h")).cast(pl.Int64)
    table = flights.join(aircraft, on="tailnum", how="left", maintain_order="left").with_columns(
        _BLOCK_MINUTES, asked_at=pl.col("sched_dep") - ASKED_BEFORE, planned_departures=planned
    )
    columns = ["flight_id", "carrier", "flight", "origin", "dest", "tailnum", "sched_dep", "distance", "block_minutes"]
    columns += ["planned_departures", "plane_year", "seats", "asked_at"]
    return table.select(columns).sort("asked_at", "flight_id")


def main() -> None:
    """Makes the files and prints what was met on the way."""
    from rich.console import Console

    console = Console()
    with console.status("flights of 2013: fetching, converting"):
        counts = prepare()
    for name, count in counts.items():
        console.print(f"{count:>9,}  {name}", highlight=False)


if __name__ == "__main__":
    main()
