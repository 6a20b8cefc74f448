from __future__ import annotations

from typing import Any

import pytest

import unisono as un

TAPS = un.Source("taps", {"user": un.String, "amount": un.Decimal(2)}, event_time="at", id="tap")
OTHER_TAPS = un.Source("taps", {"user": un.String, "amount": un.Float64}, event_time="at", id="tap")


@un.transform
def large(taps):  # type: ignore[no-untyped-def]
    return {"is_large": taps["amount"] > 100}


@un.transform
def calendar(request, features):  # type: ignore[no-untyped-def]
    return {"hour": request["at"]}


def by_user(name: str = "by_user", source: un.Source = TAPS, **changes: Any) -> un.FeatureView:
    return un.FeatureView(name, source, **{"key": "user", "aggregations": [un.count()], "windows": "1h", **changes})


def predictor(**changes: Any) -> un.Predictor:
    given: dict[str, Any] = {
        "name": "fraud",
        "request": {"user": un.String, "price": un.Decimal(2)},
        "time": "asked_at",
        "features": [by_user()],
    }
    return un.Predictor(**{**given, **changes})


def faults(**changes: Any) -> tuple[str, ...]:
    with pytest.raises(un.DefinitionError) as error:
        predictor(**changes)
    return error.value.problems


def label(column: str = "amount", **changes: Any) -> un.Label:
    return un.Label(changes.pop("source", TAPS), column, **{"on": "tap", "within": "2d", **changes})


def test_the_example_of_the_design_is_a_predictor(delay: un.Predictor) -> None:
    assert delay.feature_names[:2] == ("by_carrier__count_1h", "by_carrier__arr_delay_mean_1h")
    assert delay.feature_names[-1] == "by_route__arr_delay_last_all"
    assert len(delay.feature_names) == 16
    assert list(delay.sources) == ["arrivals"]
    assert list(delay.transforms) == ["lateness", "calendar"]


def test_the_time_is_a_timestamp_column_of_the_request_without_being_said() -> None:
    assert predictor().columns == {"user": un.String, "price": un.Decimal(2), "asked_at": un.Timestamp}
    said = predictor(request={"user": un.String, "asked_at": un.Timestamp})
    assert said.columns == said.request


def test_one_thing_may_stand_for_a_list_of_one() -> None:
    assert predictor(features=by_user(), derive=calendar) == predictor(features=[by_user()], derive=[calendar])


def test_a_predictor_may_have_no_features_or_no_request_columns_but_not_neither() -> None:
    assert predictor(features=[]).feature_names == ()
    (problem,) = faults(features=[], request={})
    assert "predictor fraud: request: no columns, and no features" in problem


def test_all_faults_are_shown_together_one_line_each_with_its_place() -> None:
    problems = faults(
        name="fr aud",
        request={"user": un.Int64, "asked_at": un.String, "pr__ice": un.Float64},
        features=[by_user(), by_user(), "by_shop"],
        derive=[large],
        label="amount",
    )
    assert [line.removeprefix('predictor "fr aud": ').split(": ")[0] for line in problems] == [
        "name",
        'request["pr__ice"]',
        "time",
        "features[0] by_user",
        "features[1]",
        "features[1] by_user",
        "features[2]",
        "derive[0]",
        "label",
    ]
    assert all("; allowed: " in line and "\n" not in line for line in problems)


def test_a_view_needs_its_key_in_the_request() -> None:
    assert faults(request={"usr": un.String}) == (
        'predictor fraud: features[0] by_user: key: "user" is not in the request; allowed: usr, asked_at; '
        'add "user": unisono.String to request',
    )


def test_a_key_has_the_same_dtype_in_request_and_source() -> None:
    (problem,) = faults(request={"user": un.Int64})
    assert '"user" is Int64 in the request and String in the source' in problem


@pytest.mark.parametrize("time", [None, "a__b", 3])
def test_the_time_is_named(time: object) -> None:
    (problem,) = faults(time=time)
    assert "predictor fraud: time: " in problem


def test_two_sources_of_one_name_are_refused() -> None:
    (problem,) = faults(features=[by_user(), by_user("by_user_2", OTHER_TAPS)])
    assert problem.startswith("predictor fraud: source taps: two different sources of this name")


def test_equal_sources_of_one_name_are_one_source() -> None:
    twin = un.Source("taps", {"amount": un.Decimal(2), "user": un.String}, event_time="at", id="tap")
    assert len(predictor(features=[by_user(), by_user("by_user_2", twin)]).sources) == 1


def test_two_transforms_of_one_name_are_refused() -> None:
    other = un.Transform("large", inputs=("request",), graph=b"graph")
    (problem,) = faults(features=[by_user(derive=large)], derive=[other])
    assert problem.startswith("predictor fraud: transform large: two different transforms of this name")


def test_a_predictors_transform_reads_the_request_and_the_features() -> None:
    assert predictor(derive=[calendar]).derive == (calendar,)
    (problem,) = faults(derive=[large])
    assert 'derive[0]: transform large reads "taps"; allowed: request, features' in problem


def test_a_label_is_a_column_of_its_source_or_derived() -> None:
    assert predictor(label=label("amount")).label == label("amount")
    assert predictor(label=label("is_large", derive=large)).label
    assert predictor(label=label("is_large"), features=[by_user(derive=large)]).label
    (problem,) = faults(label=label("amuont"))
    assert problem.endswith('did you mean "amount"?')


def test_a_label_is_not_derived_by_a_view_of_another_source() -> None:
    shops = un.Source("shops", {"shop": un.String}, event_time="at")
    (problem,) = faults(label=label("is_large", source=shops, on="shop"), features=[by_user(derive=large)])
    assert '"is_large" is not a column of source shops' in problem


def test_a_label_and_a_request_column_cannot_share_a_name() -> None:
    (problem,) = faults(request={"user": un.String, "amount": un.Decimal(2)}, label=label("amount"))
    assert 'label: "amount" is a column of the request too' in problem


def test_a_label_matches_a_request_column_of_the_same_dtype() -> None:
    assert predictor(request={"user": un.String, "tap": un.String}, label=label()).label
    (problem,) = faults(request={"user": un.String, "tap": un.Int64}, label=label())
    assert 'label: on: "tap" is Int64 in the request; allowed: String' in problem


def test_the_faults_of_a_label_are_shown_together() -> None:
    with pytest.raises(un.DefinitionError) as error:
        un.Label(TAPS, "a__b", on="tpa", within="0d", derive=[calendar])
    places = [line.split(": ")[1] for line in error.value.problems]
    assert places == ["name", "on", "within", "derive[0]", "derive[0]"]


def test_a_label_is_not_matched_by_a_float() -> None:
    with pytest.raises(un.DefinitionError, match='on: "amount" is Float64'):
        un.Label(OTHER_TAPS, "amount", on="amount", within="2d")


def test_a_label_holds_its_deadline_as_microseconds() -> None:
    assert label(within="2d").within == 172_800_000_000
