"""Names of runs and of what they write."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unisono.drivers.schedule.names import FIELDS, Dialect, instant_id, parse_out, run_id
from unisono.spec.errors import InputError

LATE_IN_THE_EVENING = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)


def name(text: str, timezone: str = "UTC") -> str:
    """The name of one run's output."""
    out = parse_out(text, timezone)
    return out.of(predictor="late", schedule="nightly", run="late.nightly.1", scheduled=LATE_IN_THE_EVENING)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("scores.parquet", "scores.parquet"),
        ("{predictor}/{schedule}/{run_id}.csv", "late/nightly/late.nightly.1.csv"),
        ("{date}T{time}.parquet", "2026-11-25T2330.parquet"),
        ("{scheduled:%Y/%m/%d}.parquet", "2026/11/25.parquet"),
        ("{scheduled:%G-W%V}.parquet", "2026-W48.parquet"),
        ("a{{b}}.csv", "a{b}.csv"),
    ],
)
def test_fields_become_what_the_run_is_for(text: str, wanted: str) -> None:
    assert name(text) == wanted


def test_dates_are_those_of_the_schedules_clock() -> None:
    assert name("{date}-{time}.csv", "Europe/Berlin") == "2026-11-26-0030.csv"


@pytest.mark.parametrize(
    "text",
    [
        "{}.csv",
        "{0}.csv",
        "{user}.csv",
        "{date!r}.csv",
        "{date:>10}.csv",
        "{predictor.__class__}.csv",
        "{scheduled.year}.csv",
        "{scheduled}.csv",
        "{scheduled:}.csv",
        "{scheduled:%c}.csv",
        "{scheduled:%Y %m}.csv",
        "{scheduled:{date}}.csv",
        "{scheduled:%}.csv",
        "{predictor[0]}.csv",
        "{date.csv",
        "date}.csv",
    ],
)
def test_other_fields_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="allowed: "):
        parse_out(text)


@given(st.text(alphabet="{}:%!.[]_abdeht09 ", max_size=30))
def test_whatever_is_written_is_refused_or_gives_a_name(text: str) -> None:
    try:
        parse_out(text)
    except InputError:
        return
    assert isinstance(name(text), str)


def test_every_field_that_is_documented_is_there() -> None:
    assert all(name("{" + field.replace("FORMAT", "%Y") + "}") for field in FIELDS)


def test_dates_can_be_left_to_another_program() -> None:
    out = parse_out("{predictor}/a b/{date}/{scheduled:%H}{{}}.csv", "Europe/Berlin")
    shell = Dialect(lambda text: f"<{text}>", lambda format, zone: f"$({zone} {format})")
    written = out.in_words_of(shell, {"predictor": "late"})
    assert written == "late</a b/>$(Europe/Berlin %Y-%m-%d)</>$(Europe/Berlin %H)<{><}><.csv>"


def test_a_runs_id_is_fit_for_the_name_of_a_file_and_orders_by_time() -> None:
    identity = run_id("late", "nightly", instant_id(LATE_IN_THE_EVENING))
    assert identity == "late.nightly.20261125T233000Z"
    assert instant_id(LATE_IN_THE_EVENING) < instant_id(LATE_IN_THE_EVENING.replace(day=26, hour=1))
