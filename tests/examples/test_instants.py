"""Clock times become true instants."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from examples.flights.instants import check, with_instants
from tests.examples import raw


def instants(**change: Any) -> dict[str, Any]:
    return with_instants(raw.flights(change), raw.airports()).row(0, named=True)


def at(month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2013, month, day, hour, minute, tzinfo=UTC)


def test_departures_are_by_new_yorks_clocks_and_arrivals_by_the_destinations() -> None:
    flight = instants()
    assert flight["sched_dep"] == at(6, 1, 16)
    assert flight["left_at"] == at(6, 1, 16, 5)
    assert flight["sched_arr"] == at(6, 1, 18, 30)
    assert flight["landed_at"] == at(6, 1, 18, 30)


def test_winter_and_summer_have_their_own_offsets() -> None:
    assert instants(month=1)["sched_dep"] == at(1, 1, 17)


def test_a_flight_over_midnight_lands_on_the_next_day() -> None:
    flight = instants(sched_dep_time=2300, sched_arr_time=34, arr_time=34)
    assert flight["sched_arr"] == at(6, 2, 5, 34)


def test_a_delay_of_a_day_keeps_its_day() -> None:
    flight = instants(dep_delay=1301, dep_time=941, arr_delay=1272, arr_time=1042)
    assert flight["left_at"] == at(6, 2, 13, 41)
    assert flight["landed_at"] == at(6, 2, 15, 42)


def test_an_arrival_at_2400_is_midnight() -> None:
    flight = instants(sched_dep_time=2230, sched_arr_time=2359, arr_delay=1, arr_time=2400)
    assert flight["landed_at"] == at(6, 2, 5)
    assert flight["arr_clock_off"] == 0


@pytest.mark.parametrize("dest", ["SJU", "BQN", "PSE", "STT"])
def test_islands_that_the_airports_table_lacks_keep_atlantic_time_all_year(dest: str) -> None:
    january = instants(month=1, dest=dest, distance=1600, sched_arr_time=1650, arr_time=1650)
    july = instants(month=7, dest=dest, distance=1600, sched_arr_time=1550, arr_time=1550)
    assert january["sched_arr"] == at(1, 1, 20, 50)
    assert july["sched_arr"] == at(7, 1, 19, 50)


def test_an_hour_that_clocks_show_twice_is_told_apart_by_the_usual_duration() -> None:
    night = {"month": 11, "day": 2, "dest": "PBI", "distance": 1023}
    early = instants(**night, sched_dep_time=2240, sched_arr_time=150, arr_time=150)
    late = instants(**night, sched_dep_time=2359, sched_arr_time=150, arr_time=150)
    assert early["sched_arr"] == at(11, 3, 5, 50)
    assert late["sched_arr"] == at(11, 3, 6, 50)


def test_a_clock_time_that_was_skipped_is_counted_and_the_elapsed_time_kept() -> None:
    change = {"month": 3, "day": 9, "dest": "PBI", "distance": 1023, "sched_dep_time": 2145, "dep_time": 2306}
    change |= {"dep_delay": 81, "sched_arr_time": 34, "arr_time": 203, "arr_delay": 89, "air_time": 141}
    flight = instants(**change)
    assert flight["landed_at"] == at(3, 10, 7, 3)
    assert flight["arr_clock_off"] == 60


def test_what_did_not_happen_has_no_instant() -> None:
    flight = instants(**raw.cancelled())
    assert flight["left_at"] is None
    assert flight["landed_at"] is None
    assert flight["sched_arr"] == at(6, 1, 18, 30)


def test_what_is_special_is_counted() -> None:
    changes = [{}, {"dep_time": 1206}, {"arr_time": 1331}, raw.cancelled(), {"arr_delay": None, "air_time": None}]
    flights = with_instants(raw.flights(*changes), raw.airports()).with_columns(dest_listed=pl.lit(True))
    counts = {name: count for name, count in check(flights).items() if count}
    assert counts == {
        "departure clock time differs from scheduled + delay": 1,
        "arrival clock time differs from scheduled + delay": 1,
        "cancelled (never left)": 1,
        "diverted (left, no arrival delay)": 1,
        "no tail number (all of them cancelled)": 1,
    }


def test_an_airport_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone for XXX"):
        with_instants(raw.flights({"dest": "XXX"}), raw.airports())
