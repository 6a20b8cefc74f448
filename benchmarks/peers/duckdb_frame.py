"""The frame in DuckDB: `python -m benchmarks.peers.duckdb_frame FORMULATION VALUES EVENTS REQUESTS OUT`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from benchmarks.workload import PLACES, WINDOWS, feature


@dataclass(frozen=True, slots=True)
class Tables:
    """SQL of the inputs, times as integers (windows over timestamps with a zone are slower) and decimals as cents."""

    events: str
    requests: str
    unit: str

    @property
    def together(self) -> str:
        return f"select null::bigint as request, * from ({self.events}) union all by name from ({self.requests})"

    def answer(self, window: str, scope: str) -> str:
        """One window's features: the aggregates over `scope`, a frame or a filter."""
        values = {
            "count": f"count(v) {scope}",
            "sum": f"coalesce(sum(v) {scope}, 0) / {self.unit}",
            "mean": f"avg(v) {scope} / {self.unit}",
            "max": f"max(v) {scope} / {self.unit}",
            "std": f"stddev_samp(v) {scope} / {self.unit}",
        }
        return ", ".join(f"{value} as {feature(name, window)}" for name, value in values.items())


def frames() -> str:
    by_key = "partition by key order by t range between"
    return ", ".join(f"w{name} as ({by_key} {width - 1} preceding and current row)" for name, width in WINDOWS.items())


def window(tables: Tables) -> str:
    """Window frames over events and requests in one table."""
    features = ", ".join(tables.answer(name, f"over w{name}") for name in WINDOWS)
    answers = f"select request, key, t, {features} from ({tables.together}) window {frames()}"
    return f"select * exclude (t), make_timestamptz(t) as time from ({answers}) where request is not null"


def range_join(tables: Tables) -> str:
    """Every request with every event of its longest window."""
    features = ", ".join(tables.answer(name, f"filter (where e.t > r.t - {width})") for name, width in WINDOWS.items())
    on = f"e.key = r.key and e.t <= r.t and e.t > r.t - {max(WINDOWS.values())}"
    return f"""select r.request, r.key, make_timestamptz(r.t) as time, {features}
        from ({tables.requests}) r left join ({tables.events}) e on {on} group by all"""


def asof(tables: Tables) -> str:
    """Differences of running totals, found as-of at both ends of each window; only the maxima are window frames.

    Right for decimals, whose totals are exact integers; floats cancel beyond the stated error.
    """
    maxima = ", ".join(f"max(v) over w{name} as max_{name}" for name in WINDOWS)
    joins = " ".join(
        f"asof left join p p{name} on p{name}.key = m.key and p{name}.t <= m.t - {width}"
        for name, width in WINDOWS.items()
    )
    features = ", ".join(difference(tables, name) for name in WINDOWS)
    return f"""with m as materialized (
            select * from (select request, key, t, {maxima} from ({tables.together}) window {frames()})
            where request is not null),
        p as materialized (
            select key, t, row_number() over w as n, sum(v) over w as s, sum(v * v) over w as q
            from ({tables.events}) window w as (partition by key order by t rows unbounded preceding))
        select m.request, m.key, make_timestamptz(m.t) as time, {features}
        from m asof left join p on p.key = m.key and p.t <= m.t {joins}"""


def difference(tables: Tables, name: str) -> str:
    n, s, q = (f"(coalesce(p.{total}, 0) - coalesce(p{name}.{total}, 0))" for total in ("n", "s", "q"))
    variance = f"({n} * {q} - {s} * {s})::double / ({n} * ({n} - 1))"
    return f"""{n} as {feature("count", name)}, {s} / {tables.unit} as {feature("sum", name)},
        {s}::double / nullif({n}, 0) / {tables.unit} as {feature("mean", name)},
        max_{name} / {tables.unit} as {feature("max", name)},
        case when {n} > 1 then sqrt({variance}) / {tables.unit} end as {feature("std", name)}"""


FORMULATIONS: dict[str, Callable[[Tables], str]] = {"window": window, "asof": asof, "range_join": range_join}


def main(formulation: str, values: str, events: str, requests: str, out: str) -> None:
    value, unit = (f"cast(value * {10**PLACES} as bigint)", f"{10**PLACES}::double")
    if values == "float":
        value, unit = "value", "1::double"
    tables = Tables(
        events=f"select key, epoch_us(time) as t, {value} as v from '{events}'",
        requests=f"select request, key, epoch_us(time) as t from '{requests}'",
        unit=unit,
    )
    connection = duckdb.connect(config={"preserve_insertion_order": False})
    connection.execute(f"copy ({FORMULATIONS[formulation](tables)}) to '{out}' (format parquet)")


if __name__ == "__main__":
    main(*sys.argv[1:])
