"""Parity finds nothing between the drivers, and finds what is planted."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import unisono as un
from tests.drivers.logs import VIEWS, make_world
from tests.drivers.streams import Adder, ready, write_log
from unisono.connect.log import Log
from unisono.drivers.parity import PLANTS, run_parity


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return write_log(tmp_path_factory.mktemp("parity"), make_world(31), segment_bytes=1)


def test_all_drivers_give_the_same_bits(log: Log) -> None:
    said: list[str] = []
    report = run_parity(ready(), log, Adder(), progress=lambda what, done, total: said.append(what))
    assert (report.differing_bits, report.differing_values, report.first) == (0, 0, None)
    assert (report.requests, report.drivers) == (120, ("batch", "stream", "online"))
    assert report.features == sum(len(view.feature_names) for view in VIEWS)
    assert report.outputs == 2
    assert set(said) == {"batch", "stream", "online"}
    assert msgspec.json.decode(msgspec.json.encode(report.as_dict()))["differing_bits"] == 0


@pytest.mark.parametrize("plant", [plant for plant in PLANTS if not plant.startswith("change-weight")])
def test_a_planted_fault_is_found_and_named(log: Log, plant: str) -> None:
    report = run_parity(ready(), log, Adder(), plant=plant)
    driver = plant.partition(":")[2]
    assert report.differing_bits > 0 and report.planted == plant
    first = report.first
    assert first is not None
    # A fault in batch is seen by everyone who is compared with it.
    assert first.driver == driver if driver != "batch" else first.driver in ("stream", "online")
    assert first.against == "batch" and first.value != first.expected
    assert "__" in first.feature and set(first.key) <= {"user", "shop"} and first.time.endswith("Z")


def test_another_plant_is_refused(log: Log) -> None:
    with pytest.raises(un.InputError, match="one of drop-event, swap-events, flip-bit, change-weight, a colon"):
        run_parity(ready(), log, Adder(), plant="drop:stream")


def test_a_log_without_requests_is_refused(tmp_path: Path) -> None:
    world = make_world(32, events=10, requests=3)
    empty = write_log(tmp_path, type(world)(world.events, world.requests.clear()))
    with pytest.raises(un.InputError, match="the log has no requests"):
        run_parity(ready(), empty, Adder())
