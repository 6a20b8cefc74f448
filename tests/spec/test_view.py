from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import unisono as un
from unisono.spec.aggregations import AGGREGATIONS, Aggregation
from unisono.spec.view import validate_derived

TAPS = un.Source(
    "taps",
    {"user": un.String, "shop": un.Int64, "amount": un.Decimal(2), "score": un.Float64, "bought_at": un.Timestamp},
    event_time="at",
)
WITH_ID = un.Source("taps", TAPS.schema, event_time="at", id="tap")
HOUR_US = 3_600_000_000


@un.transform
def large(taps):  # type: ignore[no-untyped-def]
    return {"is_large": taps["amount"] > 100}


@un.transform
def calendar(request):  # type: ignore[no-untyped-def]
    return {"hour": 0}


def view(**changes: Any) -> un.FeatureView:
    given: dict[str, Any] = {"name": "by_user", "source": TAPS, "key": "user", "aggregations": [un.count()]}
    return un.FeatureView(**{**given, **changes})


def faults(**changes: Any) -> tuple[str, ...]:
    with pytest.raises(un.DefinitionError) as error:
        view(**changes)
    return error.value.problems


def test_one_thing_may_stand_for_a_list_of_one() -> None:
    assert view(key="user", windows="6h", aggregations=un.count(), derive=large) == view(
        key=["user"], windows=["6h"], aggregations=[un.count()], derive=[large]
    )


def test_windows_are_held_as_microseconds_and_none_is_all_of_history() -> None:
    made = view(windows=["90m", timedelta(hours=6), None])
    assert made.windows == (HOUR_US * 3 // 2, 6 * HOUR_US, None)
    assert made.window_names == ("90m", "6h", "all")


def test_without_windows_a_view_spans_all_of_history() -> None:
    assert view().windows == (None,)
    assert view().feature_names == ("by_user__count_all",)


def test_features_are_named_by_view_column_aggregation_and_window_in_the_order_given() -> None:
    made = view(aggregations=[un.count(), un.mean("amount"), un.count("user")], windows=["6h", "1h", None])
    assert made.feature_names == (
        "by_user__count_6h",
        "by_user__amount_mean_6h",
        "by_user__user_count_6h",
        "by_user__count_1h",
        "by_user__amount_mean_1h",
        "by_user__user_count_1h",
        "by_user__count_all",
        "by_user__amount_mean_all",
        "by_user__user_count_all",
    )


def test_a_window_is_called_as_the_user_wrote_it() -> None:
    assert view(windows=["7d", "24h"]).window_names == ("7d", "24h")


NAMES = st.sampled_from(["a", "a_", "a_b", "b", "count", "a_count", "sum_1h", "x_sum", "all", "b_a_"])
COLUMNS = dict.fromkeys(["a", "a_", "a_b", "b", "count", "a_count", "sum_1h", "x_sum", "all", "b_a_"], un.Int64)
FEATURES = st.tuples(NAMES, st.sampled_from(sorted(AGGREGATIONS)), NAMES, st.sampled_from(["1h", "1s", "11h", None]))


@given(st.sets(FEATURES, min_size=2, max_size=20))
def test_no_two_features_share_a_name(features: set[tuple[str, str, str, str | None]]) -> None:
    names = {
        un.FeatureView(
            name,
            un.Source("log", COLUMNS, event_time="at"),
            key="a",
            aggregations=Aggregation(kind, column),
            windows=window,
        ).feature_names
        for name, kind, column, window in features
    }
    assert len(names) == len(features)


def test_all_faults_are_shown_together_one_line_each_with_its_place() -> None:
    problems = faults(
        name="by__user",
        key=["usr", "user", "user"],
        aggregations=[un.mean("user"), un.count, un.sum("amont"), un.count(), un.count()],
        windows=["0h", "6h", "360m", "6 hours", None, None],
        refresh="1d",
    )
    assert [line.removeprefix('view "by__user": ').split(": ")[0] for line in problems] == [
        "name",
        "key[0]",
        "key[2]",
        "aggregations[0]",
        "aggregations[1]",
        "aggregations[2]",
        "aggregations[4]",
        "windows[0]",
        "windows[2]",
        "windows[3]",
        "windows[5]",
        "refresh",
    ]
    assert all("; allowed: " in line and "\n" not in line for line in problems)


@pytest.mark.parametrize("window", ["0h", "-1h", "", "6", "1.5h", "36526d", 6, timedelta(0), {"6h"}, True])
def test_a_window_that_is_no_duration_is_refused(window: object) -> None:
    (problem,) = faults(windows=["6h", window])
    assert problem.startswith("view by_user: windows[1]: ")


def test_a_fault_says_what_was_seen_what_is_allowed_where_and_what_to_write() -> None:
    assert faults(windows=["1h", "0h"]) == (
        'view by_user: windows[1]: "0h" is not longer than zero; '
        'allowed: from 1us to 36525d (100 years), units us ms s m h d w; write e.g. "6h"',
    )


def test_two_windows_of_one_length_are_refused() -> None:
    (problem,) = faults(windows=["24h", "1h", "1d"])
    assert '"1d" is as long as "24h" before it' in problem


@pytest.mark.parametrize("empty", ["key", "aggregations", "windows"])
def test_an_empty_list_is_refused(empty: str) -> None:
    (problem,) = faults(**{empty: []})
    assert problem.startswith(f"view by_user: {empty}: no")


def test_the_nearest_column_is_suggested() -> None:
    (problem,) = faults(aggregations=[un.sum("amuont")])
    assert problem.endswith('did you mean "amount"?')


def test_a_string_cannot_be_averaged() -> None:
    (problem,) = faults(aggregations=[un.mean("user")])
    assert problem == (
        'view by_user: aggregations[0]: mean of "user", which is String; allowed: Int64, Float64, Bool, Decimal; '
        'write count("user"), or derive a number from it'
    )


@pytest.mark.parametrize("item", [un.count, "count", min, None, {"count": "x"}])
def test_what_is_no_aggregation_is_refused(item: object) -> None:
    (problem,) = faults(aggregations=[item])
    assert "is not an aggregation" in problem


def test_an_aggregation_that_was_not_called_is_recognised() -> None:
    (problem,) = faults(aggregations=[un.count])
    assert problem.endswith("write unisono.count(...)")


@pytest.mark.parametrize("key", [["missing"], [3], [None], ["score"], ["user", "user"]])
def test_a_key_is_made_of_different_columns_that_can_be_compared(key: object) -> None:
    (problem,) = faults(key=key)
    assert problem.startswith("view by_user: key[")


@pytest.mark.parametrize("source", ["taps", None, un.Source])
def test_a_view_is_of_a_source(source: object) -> None:
    (problem,) = faults(source=source)
    assert "is not a source; allowed: a Source; pass the Source itself" in problem


@pytest.mark.parametrize("item", [len, "large", None])
def test_what_is_no_transform_is_refused(item: object) -> None:
    (problem,) = faults(derive=[item], aggregations=[un.mean("is_large")])
    assert "view by_user: derive[0]: " in problem and "is not a transform" in problem


def test_a_views_transform_reads_its_source_only() -> None:
    (problem,) = faults(derive=[calendar])
    assert 'transform calendar reads "request"; allowed: taps' in problem


def test_a_transform_is_listed_once() -> None:
    (problem,) = faults(derive=[large, large])
    assert "derive[1]: a second transform large" in problem


@pytest.mark.parametrize("refresh", ["1d", None, "batch"])
def test_only_streaming_features_are_built_so_far(refresh: object) -> None:
    (problem,) = faults(refresh=refresh)
    assert 'allowed: "stream", so far; leave refresh out' in problem


@pytest.mark.parametrize("windows", [None, ["1h", None]])
def test_all_of_history_with_ids_needs_an_end_to_the_memory_of_ids(windows: object) -> None:
    (problem,) = faults(source=WITH_ID, windows=windows)
    assert problem.endswith('write e.g. remember_ids="30d" in source taps')


def test_bounded_windows_bound_the_memory_of_ids() -> None:
    assert view(source=WITH_ID, windows="1h").source == WITH_ID


def test_ids_that_are_remembered_for_a_time_allow_all_of_history() -> None:
    taps = un.Source("taps", TAPS.schema, event_time="at", id="tap", remember_ids="30d")
    assert view(source=taps).windows == (None,)


def test_a_column_that_may_be_derived_is_judged_once_its_dtype_is_known() -> None:
    made = view(derive=[large], aggregations=[un.mean("is_large"), un.count()])
    assert validate_derived(made, {"is_large": un.Bool}) == []
    (wrong_type,) = validate_derived(made, {"is_large": un.String})
    assert 'aggregations[0]: mean of "is_large", which is String' in wrong_type
    (missing,) = validate_derived(made, {"is_larger": un.Bool})
    assert missing.endswith('did you mean "is_larger"?')


def test_without_transforms_an_unknown_column_is_a_fault_at_once() -> None:
    (problem,) = faults(aggregations=[un.mean("is_large")])
    assert '"is_large" is not a column of the source' in problem


def test_a_known_column_of_the_wrong_dtype_is_a_fault_even_beside_transforms() -> None:
    (problem,) = faults(derive=[large], aggregations=[un.mean("user")])
    assert 'mean of "user", which is String' in problem


@pytest.mark.parametrize(("column", "seen"), [("user", "is a column of source taps already"), ("a__b", "not a name")])
def test_a_derived_column_has_a_sound_name_of_its_own(column: str, seen: str) -> None:
    (problem,) = validate_derived(view(derive=[large]), {column: un.Bool})
    assert seen in problem


def test_messages_about_wide_sources_stay_short() -> None:
    wide = un.Source("wide", {f"column_{i}": un.Int64 for i in range(5000)}, event_time="at")
    (problem,) = faults(source=wide, key="column_77", aggregations=[un.sum("x" * 100)])
    assert len(problem) < 700
    assert "(5001 in all)" in problem
