"""Cron expressions against a reading of them minute by minute, and at clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unisono.drivers.schedule.cron import MACROS, MINUTE, WEEKDAYS, Cron, parse_cron
from unisono.spec.errors import InputError

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")
BEFORE_A_CHANGE = {
    "UTC": datetime(2026, 2, 27, 22, tzinfo=UTC),
    "Europe/Berlin": datetime(2026, 3, 28, 22, tzinfo=UTC),
    "America/New_York": datetime(2026, 11, 1, 2, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2026, 4, 4, 8, tzinfo=UTC),
    "Asia/Kathmandu": datetime(2026, 12, 31, 12, tzinfo=UTC),
    "Pacific/Apia": datetime(2011, 12, 30, 2, tzinfo=UTC),
}


def shown(cron: Cron, wall: datetime) -> bool:
    """Whether a clock on the wall shows what was written."""
    day, weekday = wall.day in cron.day.values, wall.isoweekday() % 7 in cron.weekday.values
    days = (day or weekday) if cron.either_day else (day and weekday)
    return (
        wall.minute in cron.minute.values and wall.hour in cron.hour.values and wall.month in cron.month.values and days
    )


def minute_by_minute(cron: Cron, after: datetime, until: datetime) -> list[datetime]:
    """Every instant, by looking at each minute."""
    zone, found, now = ZoneInfo(cron.timezone), [], after + MINUTE
    while now <= until:
        wall, earlier = now.astimezone(zone), (now - MINUTE).astimezone(zone)
        leapt = [earlier.replace(tzinfo=None) + MINUTE]
        while leapt[-1] + MINUTE < wall.replace(tzinfo=None):
            leapt.append(leapt[-1] + MINUTE)
        is_leap = leapt[0] < wall.replace(tzinfo=None) and not cron.hour.is_open
        repeated = wall.fold == 1 and not cron.hour.is_open
        if (shown(cron, wall) and not repeated) or (is_leap and any(shown(cron, time) for time in leapt)):
            found.append(now)
        now += MINUTE
    return found


@st.composite
def fields(draw: st.DrawFn, first: int, last: int) -> str:
    """One field of an expression."""
    low = draw(st.integers(first, last))
    high = draw(st.integers(low, last))
    step = draw(st.integers(1, last))
    one = st.sampled_from(["*", f"*/{step}", str(low), f"{low}-{high}", f"{low}-{high}/{step}"])
    return ",".join(draw(st.lists(one, min_size=1, max_size=2)))


expressions = st.tuples(fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12), fields(0, 7)).map(" ".join)
hourly = st.tuples(fields(0, 59), fields(0, 5)).map(lambda two: f"{two[0]} {two[1]} * * *")


@given(hourly, st.sampled_from(ZONES), st.integers(0, 300))
def test_around_a_clock_change_the_instants_are_those_of_a_reading_minute_by_minute(
    text: str, zone: str, minutes: int
) -> None:
    cron = parse_cron(text, zone)
    after = BEFORE_A_CHANGE[zone] + minutes * MINUTE
    until = after + timedelta(hours=8)
    assert list(cron.between(after, until)) == minute_by_minute(cron, after, until)


@pytest.mark.parametrize("text", ["30 2 * * *", "*/30 * * * *", "0 3 * * *", "*/20 1-3 * * *"])
def test_the_next_instant_after_each_minute_around_a_clock_change(text: str) -> None:
    cron = parse_cron(text, "Europe/Berlin")
    for change in (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)):
        begin, end = change - timedelta(hours=3), change + timedelta(hours=26)
        instants = minute_by_minute(cron, begin, end)
        for minutes in range(300):
            after = begin + minutes * MINUTE
            assert cron.next_after(after) == next(instant for instant in instants if instant > after)


@given(expressions, st.sampled_from(ZONES), st.datetimes(datetime(2001, 1, 1), datetime(2039, 1, 1)))
def test_the_next_instant_is_later_and_shown_and_nothing_is_between(text: str, zone: str, moment: datetime) -> None:
    try:
        cron = parse_cron(text, zone)
    except InputError as error:
        assert "no month has this day" in str(error)
        return
    after = moment.replace(tzinfo=UTC, second=0, microsecond=0)
    found = cron.next_after(after)
    assert found > after
    assert minute_by_minute(cron, found - timedelta(hours=3), found)[-1] == found
    assert not minute_by_minute(cron, after, min(found - MINUTE, after + timedelta(hours=6)))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # On 29 March 2026 the clock leaps from 02:00 to 03:00, which is 01:00 UTC.
        ("30 2 * * *", ["03-28 01:30", "03-29 01:00", "03-30 00:30"]),
        ("0 3 * * *", ["03-28 02:00", "03-29 01:00", "03-30 01:00"]),
        ("0 2,3 * * *", ["03-28 01:00", "03-28 02:00", "03-29 01:00", "03-30 00:00"]),
        ("0 0 * * *", ["03-28 23:00", "03-29 22:00", "03-30 22:00"]),
    ],
)
def test_a_time_that_the_clock_leaps_over_runs_at_the_leap(text: str, wanted: list[str]) -> None:
    cron = parse_cron(text, "Europe/Berlin")
    found = list(cron.between(datetime(2026, 3, 28, 0, tzinfo=UTC), datetime(2026, 3, 30, 23, tzinfo=UTC)))
    assert [f"{instant:%m-%d %H:%M}" for instant in found][: len(wanted)] == wanted


def test_a_time_that_comes_twice_runs_once_and_every_hour_runs_in_both() -> None:
    after, until = datetime(2026, 10, 24, 23, 45, tzinfo=UTC), datetime(2026, 10, 25, 2, tzinfo=UTC)
    daily, open_hours = parse_cron("30 2 * * *", "Europe/Berlin"), parse_cron("30 * * * *", "Europe/Berlin")
    assert [f"{instant:%H:%M}" for instant in daily.between(after, until)] == ["00:30"]
    assert [f"{instant:%H:%M}" for instant in open_hours.between(after, until)] == ["00:30", "01:30"]


def test_days_are_those_of_cron_and_not_of_the_library() -> None:
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    for text, first in [
        ("0 0 * * 0", 29),
        ("0 0 * * 7", 29),
        ("0 0 * * 1", 30),
        ("0 0 * * sat", 28),
        ("0 0 * * */2", 24),
    ]:
        assert parse_cron(text).next_after(monday).day == first, text


def test_two_restricted_day_fields_mean_either() -> None:
    cron = parse_cron("0 0 13 * fri")
    found = list(cron.between(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 14, tzinfo=UTC)))
    assert [instant.day for instant in found] == [6, 13, 20, 27, 4, 11, 13]
    both = list(
        parse_cron("0 0 */2 * fri").between(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
    )
    assert [instant.day for instant in both] == [13, 27]


def test_the_29th_of_february_is_found_years_ahead() -> None:
    assert parse_cron("0 0 29 2 *", "Europe/Berlin").next_after(datetime(2096, 3, 1, tzinfo=UTC)).year == 2104


@pytest.mark.parametrize("name", MACROS)
def test_names_of_common_schedules(name: str) -> None:
    after = datetime(2026, 11, 26, tzinfo=UTC)
    assert parse_cron(name).next_after(after) == parse_cron(MACROS[name]).next_after(after)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "0 fields"),
        ("0 3 * *", "4 fields"),
        ("0 3 * * * *", "6 fields"),
        ("60 3 * * *", 'minute "60"'),
        ("0 24 * * *", 'hour "24"'),
        ("0 3 0 * *", 'day of the month "0"'),
        ("0 3 * 13 *", 'month "13"'),
        ("0 3 * * 8", 'day of the week "8"'),
        ("0 3 * * friday", 'day of the week "friday"'),
        ("5/10 * * * *", 'minute "5/10"'),
        ("*/0 * * * *", 'minute "*/0"'),
        ("9-3 * * * *", 'minute "9-3"'),
        ("1,,2 * * * *", 'minute ""'),
        ("0 3 * * fri-mon", 'day of the week "fri-mon"'),
        ("0 0 31 2,4 *", "no month has this day"),
        ("٣ * * * *", "minute"),
    ],
)
def test_what_is_not_an_expression_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_cron(text)
    assert said in str(refused.value)
    assert "allowed: " in str(refused.value)


@pytest.mark.parametrize("zone", ["Europe/Bonn", "", "../etc", "/etc/localtime"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(InputError, match="unknown; allowed: names of the IANA database"):
        parse_cron("0 3 * * *", zone)


def test_names_of_days_begin_with_sunday() -> None:
    assert parse_cron("0 0 * * sun-sat").weekday.values == tuple(range(len(WEEKDAYS)))
