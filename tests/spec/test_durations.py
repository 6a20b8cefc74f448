from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import unisono as un
from unisono.spec.durations import (
    EARLIEST_US,
    LATEST_US,
    MAX_DURATION_US,
    UNITS_US,
    format_duration,
    is_time,
    name_duration,
    parse_duration,
)


@pytest.mark.parametrize(
    ("text", "duration_us"),
    [
        ("1us", 1),
        ("1ms", 10**3),
        ("1s", 10**6),
        ("1m", 60 * 10**6),
        ("1h", 3600 * 10**6),
        ("1d", 86400 * 10**6),
        ("1w", 7 * 86400 * 10**6),
        ("90m", 5400 * 10**6),
        ("36525d", MAX_DURATION_US),
    ],
)
def test_a_duration_is_a_whole_number_and_one_unit(text: str, duration_us: int) -> None:
    assert parse_duration(text) == duration_us


@given(st.integers(1, MAX_DURATION_US))
def test_every_duration_is_read_back_from_its_canonical_text(duration_us: int) -> None:
    text = format_duration(duration_us)
    assert parse_duration(text) == duration_us
    assert not any(duration_us % unit == 0 for unit in UNITS_US.values() if unit > UNITS_US[text.lstrip("0123456789")])


@given(st.integers(1, MAX_DURATION_US))
def test_a_timedelta_means_its_microseconds(duration_us: int) -> None:
    assert parse_duration(timedelta(microseconds=duration_us)) == duration_us


@pytest.mark.parametrize("value", ["0h", "-1h", "-0us", timedelta(0), timedelta(days=-1)])
def test_a_duration_is_longer_than_zero(value: str | timedelta) -> None:
    with pytest.raises(un.DefinitionError, match="is not longer than zero; allowed: from 1us to 36525d"):
        parse_duration(value)


@pytest.mark.parametrize(
    "value", ["36525d1", "", "h", "1", "1.5h", "1 h", "1H", "1h30m", "6hours", "٦h", "1h\n", " 1h"]
)
def test_text_that_is_no_duration_is_refused_with_an_example(value: str) -> None:
    with pytest.raises(un.DefinitionError, match=r'is not a whole number and one unit; .* write e.g. "6h"'):
        parse_duration(value)


@pytest.mark.parametrize("value", ["36526d", "999999999999999999w", timedelta(days=36526), timedelta.max])
def test_a_duration_is_at_most_a_hundred_years(value: str | timedelta) -> None:
    with pytest.raises(un.DefinitionError, match="is longer than 100 years"):
        parse_duration(value)


def test_a_number_with_too_many_digits_is_refused_before_it_is_converted() -> None:
    with pytest.raises(un.DefinitionError, match="is not a whole number") as error:
        parse_duration("9" * 100_000 + "h")
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("value", [6, 6.0, None, b"6h", ["6h"]])
def test_a_bare_number_has_no_unit_and_is_refused(value: object) -> None:
    with pytest.raises(un.DefinitionError, match="is not a duration; allowed: a str or a timedelta"):
        parse_duration(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(("value", "name"), [("7d", "7d"), ("1w", "1w"), ("024h", "24h"), (timedelta(hours=6), "6h")])
def test_a_duration_is_called_as_it_was_written(value: str | timedelta, name: str) -> None:
    assert name_duration(value) == name


def test_times_lie_in_the_years_1_to_9999() -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert (datetime.min.replace(tzinfo=UTC) - epoch) // timedelta(microseconds=1) == EARLIEST_US
    assert (datetime.max.replace(tzinfo=UTC) - epoch) // timedelta(microseconds=1) == LATEST_US
    assert is_time(EARLIEST_US) and is_time(LATEST_US)
    assert not is_time(EARLIEST_US - 1) and not is_time(LATEST_US + 1)


def test_no_time_minus_a_window_leaves_int64() -> None:
    assert EARLIEST_US - MAX_DURATION_US > -(2**63)
    assert LATEST_US + MAX_DURATION_US < 2**63
