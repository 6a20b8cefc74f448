"""What is known when: the event logs and the requests."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from examples.archives import Archive, ArchiveError
from examples.flights import archive
from examples.flights.data import UNKNOWN_PLANE, build, prepare
from examples.flights.definitions import delay
from tests.examples import raw


def built(*changes: dict[str, Any]) -> dict[str, pl.DataFrame]:
    return build(raw.tables(*changes))[0]


def test_a_flight_that_arrived_is_in_departures_arrivals_and_queue_and_asked_about() -> None:
    tables = built({})
    heights = {name: table.height for name, table in tables.items()}
    assert heights == {"departures": 1, "queue": 2, "arrivals": 1, "cancellations": 0, "weather": 1, "flights": 1}


def test_a_cancelled_flight_is_asked_about_and_known_at_its_scheduled_departure() -> None:
    tables = built(raw.cancelled())
    heights = {name: table.height for name, table in tables.items()}
    assert heights == {"departures": 0, "queue": 0, "arrivals": 0, "cancellations": 1, "weather": 1, "flights": 1}
    request, event = tables["flights"].row(0, named=True), tables["cancellations"].row(0, named=True)
    assert event["cancelled_at"] == request["sched_dep"]
    assert request["tailnum"] == UNKNOWN_PLANE


def test_a_diverted_flight_leaves_and_never_arrives() -> None:
    tables = built({"arr_delay": None, "air_time": None})
    assert (tables["departures"].height, tables["arrivals"].height) == (1, 0)


def test_a_request_is_asked_two_hours_before_the_scheduled_departure() -> None:
    request = built({"dep_delay": -20, "dep_time": 1140})["flights"].row(0, named=True)
    assert request["sched_dep"] - request["asked_at"] == timedelta(hours=2)


def test_the_queue_rises_when_a_flight_is_due_and_falls_when_it_leaves() -> None:
    queue = built({"dep_delay": 30, "dep_time": 1230})["queue"]
    assert queue["change"].to_list() == [1, -1]
    first, second = queue["changed_at"]
    assert second - first == timedelta(minutes=30)


def test_arrivals_are_reported_later_and_some_much_later() -> None:
    arrivals = built(*({"flight": number} for number in range(2_000)))["arrivals"]
    lags = (arrivals["reported_at"] - arrivals["landed_at"]).dt.total_minutes()
    late = lags >= 30
    assert lags.filter(~late).min() == 2
    assert lags.filter(~late).max() == 10
    assert 10 <= late.sum() <= 30
    assert arrivals["reported_at"].is_sorted()


def test_weather_is_known_at_the_end_of_its_hour() -> None:
    weather = built({})["weather"].row(0, named=True)
    assert weather["known_at"] - weather["observed_at"] == timedelta(hours=1)


def test_an_impossible_wind_is_null() -> None:
    tables = raw.tables({}) | {"weather": raw.weather({"wind_speed": 1048.4}, {})}
    weather = build(tables)[0]["weather"]
    assert weather["wind_speed"].to_list() == [None, 10.35702]


def test_ids_are_unique() -> None:
    ids = built({}, {}, {"day": 2, "flight": 1})["flights"]["flight_id"]
    assert ids.to_list()[0] == "2013-06-01-UA1-EWR-ORD"
    assert ids.is_unique().all()


def test_the_files_have_the_columns_of_the_definitions() -> None:
    tables = built({})
    for name, source in delay.sources.items():
        assert set(source.columns) <= set(tables[name].columns), name
    assert set(delay.columns) <= set(tables["flights"].columns)


def test_files_that_are_there_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Path] = []

    def read(path: Path) -> dict[str, pl.DataFrame]:
        reads.append(path)
        return raw.tables({})

    monkeypatch.setattr(Archive, "fetch", lambda own, folder: folder)
    monkeypatch.setattr(archive, "read", read)
    assert prepare(tmp_path) == prepare(tmp_path)
    assert len(reads) == 1


def test_another_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / archive.ARCHIVE.file).write_bytes(b"not the archive")
    with pytest.raises(ArchiveError, match="sha256"):
        archive.ARCHIVE.fetch(tmp_path)
