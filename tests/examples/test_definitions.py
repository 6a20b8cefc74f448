"""The definitions over a few flights: what is derived, what is known, what is true."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import unisono as un
from examples.flights import data, definitions
from examples.flights.train import OF_EVENTS, OF_REQUEST, inputs
from tests.examples import raw

pytestmark = pytest.mark.slow

HERE = Path(definitions.__file__).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("definitions.py", "unisono.toml"):
        shutil.copy(HERE / name, tmp_path / name)
    (tmp_path / "data").mkdir()
    return tmp_path


def frame(folder: Path, *changes: dict[str, Any]) -> pl.DataFrame:
    """The training frame of some flights, in the order of their numbers."""
    for name, table in data.build(raw.tables(*changes))[0].items():
        table.write_parquet(folder / "data" / f"{name}.parquet")
    return un.load(folder).training_frame("delay").sort("flight")


def test_the_hour_and_the_weekday_are_new_yorks_in_winter_and_summer(folder: Path) -> None:
    days = [(1, 1, 600), (3, 9, 2359), (3, 10, 300), (6, 1, 1230), (11, 2, 2359), (11, 3, 500), (12, 31, 1)]
    changes = [{"month": month, "day": day, "sched_dep_time": at} for month, day, at in days]
    rows = frame(folder, *changes)
    assert rows["hour"].to_list() == pytest.approx([6, 23 + 59 / 60, 3, 12.5, 23 + 59 / 60, 5, 1 / 60])
    assert rows["weekday"].to_list() == [1, 5, 6, 5, 5, 6, 1]


def test_codes_are_places_in_the_lists_and_0_for_what_is_not_in_them(folder: Path) -> None:
    rows = frame(folder, {"carrier": "9E", "origin": "LGA"}, {"carrier": "YV"}, {"carrier": "??", "origin": "PHL"})
    assert rows["carrier_code"].to_list() == [1, 16, 0]
    assert rows["origin_code"].to_list() == [3, 1, 0]


def test_an_aircraft_that_is_not_known_has_no_age(folder: Path) -> None:
    rows = frame(folder, {}, {"tailnum": "N2"})
    assert rows["plane_age"].to_list() == [12, None]


def test_the_label_is_lateness_and_null_for_who_never_arrives(folder: Path) -> None:
    changes = [{"arr_delay": 15}, {"arr_delay": 16}, raw.cancelled(), {"arr_delay": None}]
    assert frame(folder, *changes)["late"].to_list() == [False, True, None, None]


def test_an_arrival_is_known_from_its_report_on(folder: Path) -> None:
    # It lands at 14:50, and as the first of the file it is one that is reported late: at 15:20.
    after = [{"sched_dep_time": at, "arr_delay": None} for at in (1719, 1720)]
    rows = frame(folder, {"arr_delay": 20}, *after)
    assert rows["by_carrier__count_1h"].to_list() == [0, 0, 1]
    assert rows["plane_in__arr_delay_last_all"].to_list() == [None, None, 20]


def test_a_flight_that_is_due_and_has_not_left_is_waiting(folder: Path) -> None:
    late = {"dep_delay": 90, "dep_time": 1330}
    rows = frame(folder, late, {"sched_dep_time": 1459}, {"sched_dep_time": 1500}, {"sched_dep_time": 1530})
    assert rows["waiting__change_sum_all"].to_list()[1:3] == [1, 1]
    assert rows["waiting__change_sum_all"].to_list()[3] == 0


def test_spare_minutes_are_what_is_left_after_there_and_back(folder: Path) -> None:
    rows = frame(folder, {}, {"sched_dep_time": 1900})  # left at 12:05, 150 minutes there and 150 back
    assert rows["spare_minutes"].to_list() == [None, 6 * 60 + 55 - 300]


def test_the_models_inputs_are_columns_of_the_frame_and_no_instants(folder: Path) -> None:
    columns = inputs(definitions.delay.feature_names)
    rows = frame(folder, {}, {"day": 2})
    assert set(columns) <= set(rows.columns)
    assert {*OF_REQUEST, *OF_EVENTS} <= set(columns)
    assert rows.select(columns).max().select(pl.all().cast(pl.Float64).abs() < 1e6).row(0).count(False) == 0


def test_there_are_five_views_and_more_and_about_sixty_features() -> None:
    assert len(definitions.delay.features) == 14
    assert len(definitions.delay.feature_names) == 63
