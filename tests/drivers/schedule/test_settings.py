"""What unisono.toml says of schedules, judged."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.schedule.worlds import a_schedule
from unisono.drivers.config import read_config
from unisono.drivers.schedule.cron import Cron
from unisono.drivers.schedule.rules import Rules
from unisono.drivers.schedule.settings import Cost, NewData, NewVersion, make_schedule
from unisono.spec.errors import InputError

HEAD = 'definitions = "definitions.py"\n[schedules.nightly]\npredictor = "risk"\nout = "scores.parquet"\n'


def config(folder: Path, lines: str) -> Any:
    """What unisono.toml says."""
    (folder / "unisono.toml").write_text(HEAD + lines)
    return read_config(folder)


def test_a_schedule_is_read_with_all_of_its_rules(tmp_path: Path) -> None:
    lines = """
        every = "0 3 * * *"
        timezone = "Europe/Berlin"
        overlap = "queue"
        misfire_grace = "1h"
        catch_up = "all"
        catch_up_limit = 7
        retries = 5
        retry_delay = "10s"
        retry_delay_max = "5m"
        only_new = "flight_id"
        keep = ["flight_id", "carrier"]
        [cost]
        per_cpu_hour = 0.04
        currency = "EUR"
    """
    found = config(tmp_path, lines)
    schedule = make_schedule("nightly", found.schedules["nightly"])
    assert schedule.key == ("risk", "nightly")
    assert isinstance(schedule.when, Cron)
    assert str(schedule.when) == 'at "0 3 * * *" Europe/Berlin'
    assert (schedule.only_new, schedule.keep) == ("flight_id", ("flight_id", "carrier"))
    assert schedule.rules == Rules(
        overlap="queue",
        misfire_grace=timedelta(hours=1),
        catch_up="all",
        catch_up_limit=7,
        retries=5,
        retry_delay=timedelta(seconds=10),
        retry_delay_max=timedelta(minutes=5),
    )
    assert found.cost == Cost(0.04, "EUR")
    assert found.cost.of(cpu_seconds=900) == 0.01


def test_rules_that_are_not_given_are_those_of_the_rules(tmp_path: Path) -> None:
    found = config(tmp_path, 'every = "@daily"')
    assert make_schedule("nightly", found.schedules["nightly"]).rules == Rules()
    assert found.cost is None


def test_triggers_are_read() -> None:
    data, version = a_schedule(on_new_data=True, debounce="2m"), a_schedule(on_new_version=True)
    assert (data.when, version.when) == (NewData(timedelta(minutes=2)), NewVersion())
    assert str(data.when) == "on new data, once it has been quiet for 2m"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"every": "0 3 * *"}, "4 fields"),
        ({"timezone": "Europe/Bonn"}, "unknown"),
        ({"on_new_data": True, "timezone": "Europe/Bonn"}, "unknown"),
        ({"every": "0 3 * * *", "on_new_data": True}, "2 of every, on_new_data and on_new_version"),
        ({"on_new_data": False}, "0 of every"),
        ({"out": "{user}.csv"}, '"{user}"'),
        ({"retry_delay": "soon"}, 'retry_delay: duration: "soon"'),
        ({"misfire_grace": "0s"}, "misfire_grace: duration"),
        ({"debounce": "1"}, "debounce: duration"),
        ({"name": "every night"}, 'name "every night"'),
    ],
)
def test_what_is_wrong_is_refused_with_what_is_allowed(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as refused:
        a_schedule(**settings)
    assert said in str(refused.value)
    assert "allowed: " in str(refused.value)


@pytest.mark.parametrize(
    "line", ["catch_up = 'some'", "overlap = 'cancel'", "catch_up_limit = 0", "retries = -1", "evry = '@daily'"]
)
def test_what_unisono_toml_cannot_hold_is_refused(line: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"schedules.*allowed: "):
        config(tmp_path, f'every = "@daily"\n{line}')
