from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError
from datetime import timedelta
from typing import Any

import pytest

import unisono as un


def source(**changes: Any) -> un.Source:
    given: dict[str, Any] = {"name": "taps", "schema": {"user": un.String, "n": un.Int64}, "event_time": "at"}
    return un.Source(**{**given, **changes})


def faults(**changes: Any) -> tuple[str, ...]:
    with pytest.raises(un.DefinitionError) as error:
        source(**changes)
    return error.value.problems


def test_the_schema_may_come_second() -> None:
    assert un.Source("taps", {"user": un.String, "n": un.Int64}, event_time="at") == source()


def test_the_columns_of_time_id_and_retraction_are_implied() -> None:
    taps = source(ingest_time="seen_at", id="tap", retraction="undo")
    assert list(taps.columns.items()) == [
        ("user", un.String),
        ("n", un.Int64),
        ("at", un.Timestamp),
        ("seen_at", un.Timestamp),
        ("tap", un.String),
        ("undo", un.Bool),
    ]


def test_the_schema_may_name_the_columns_of_its_roles() -> None:
    taps = source(schema={"tap": un.Int64, "at": un.Timestamp, "undo": un.Bool}, id="tap", retraction="undo")
    assert taps.columns == taps.schema
    assert taps.columns["tap"] == un.Int64


def test_one_column_for_both_times_means_no_ingest_time() -> None:
    assert source(ingest_time="at") == source()


@pytest.mark.parametrize("length", ["2d", timedelta(hours=48)])
def test_the_memory_of_ids_is_held_as_microseconds(length: object) -> None:
    assert source(id="tap", remember_ids=length).remember_ids == 172_800_000_000


def test_a_source_cannot_change_and_crosses_processes() -> None:
    taps = source(id="tap", timezone="UTC")
    with pytest.raises(FrozenInstanceError):
        taps.name = "clicks"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(taps)) == taps
    assert hash(taps) == hash(source(id="tap", timezone="UTC"))


def test_all_faults_are_shown_together_one_line_each_with_its_place() -> None:
    problems = faults(
        schema={"us__er": un.String, "n": int, "at": un.Int64},
        ingest_time="9",
        id="at",
        remember_ids="0d",
        timezone="America/New_Yrok",
    )
    assert [line.split(": ")[:2] for line in problems] == [
        ["source taps", 'schema["us__er"]'],
        ["source taps", 'schema["n"]'],
        ["source taps", "event_time"],
        ["source taps", "ingest_time"],
        ["source taps", "id"],
        ["source taps", "remember_ids"],
        ["source taps", "timezone"],
    ]
    assert all("; allowed: " in line and "\n" not in line for line in problems)


@pytest.mark.parametrize("name", ["", "1a", "_a", "a__b", "a b", "a.b", "é", "a\n", "a" * 101, None, 3])
def test_a_name_is_letters_digits_and_single_underscores(name: object) -> None:
    (problem,) = faults(name=name)
    assert "is not a name; allowed: a letter, then letters, digits and single" in problem


@pytest.mark.parametrize("name", ["a", "A1", "a_b_", "a" * 100])
def test_a_sound_name_is_accepted(name: str) -> None:
    assert source(name=name).name == name


@pytest.mark.parametrize("name", ["request", "features"])
def test_a_source_cannot_take_the_name_of_another_namespace(name: str) -> None:
    (problem,) = faults(name=name)
    assert "is a namespace of transforms" in problem


@pytest.mark.parametrize("schema", [None, ["user"], "user", {"user": un.String}.items()])
def test_a_schema_is_a_mapping(schema: object) -> None:
    (problem,) = faults(schema=schema)
    assert "source taps: schema: " in problem


@pytest.mark.parametrize("dtype", [str, "String", un.Decimal, None])
def test_a_column_has_one_of_the_dtypes(dtype: object) -> None:
    (problem,) = faults(schema={"user": dtype})
    assert "is not a dtype; allowed: String, Int64, Float64, Bool, Timestamp, Decimal" in problem


@pytest.mark.parametrize(
    ("role", "dtype"),
    [("event_time", un.Int64), ("ingest_time", un.String), ("id", un.Float64), ("retraction", un.Int64)],
)
def test_a_column_with_a_role_has_its_dtype(role: str, dtype: object) -> None:
    (problem,) = faults(**{"id": "tap", role: "col", "schema": {"col": dtype}})
    assert f'{role}: "col" is {dtype} in the schema; allowed: ' in problem


def test_two_roles_need_two_columns() -> None:
    (problem,) = faults(id="at")
    assert problem == 'source taps: id: "at" is already the event_time; allowed: another column; ' + (
        "give id a column of its own"
    )


def test_an_event_time_is_needed() -> None:
    (problem,) = faults(event_time=None)
    assert "source taps: event_time: None" in problem


def test_a_retraction_needs_an_id() -> None:
    (problem,) = faults(retraction="undo")
    assert problem == 'source taps: retraction: "undo" without an id; allowed: only with id=; name the id column too'


def test_a_memory_of_ids_needs_an_id() -> None:
    (problem,) = faults(remember_ids="2d")
    assert "remember_ids: " in problem and "without an id" in problem


@pytest.mark.parametrize("timezone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_a_time_zone_is_an_iana_name(timezone: str) -> None:
    assert source(timezone=timezone).timezone == timezone


@pytest.mark.parametrize("timezone", ["", "Mars", "America", "../etc/passwd", "utc", "localtime", "+02:00", 2, b"UTC"])
def test_an_unknown_time_zone_is_refused(timezone: object) -> None:
    (problem,) = faults(timezone=timezone)
    assert "is not a known time zone; allowed: an IANA name" in problem


def test_the_nearest_time_zone_is_suggested() -> None:
    (problem,) = faults(timezone="America/New_Yrok")
    assert problem.endswith('did you mean "America/New_York"?')
