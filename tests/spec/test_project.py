from __future__ import annotations

import pytest

import unisono as un
from unisono.spec.project import Definitions


def test_what_a_predictor_needs_is_taken_in_with_it(delay: un.Predictor) -> None:
    whole = Definitions(predictors=[delay])
    assert list(whole.sources) == ["arrivals"]
    assert list(whole.views) == ["by_carrier", "by_route"]
    assert list(whole.transforms) == ["lateness", "calendar"]
    assert whole.predictors["delay"] is delay


def test_the_source_of_a_label_is_taken_in(arrivals: un.Source) -> None:
    gate = un.Predictor(
        "gate",
        request={"x": un.Int64},
        time="t",
        features=[],
        label=un.Label(arrivals, "dest", on="carrier", within="1d"),
    )
    assert list(Definitions(predictors=[gate]).sources) == ["arrivals"]


def test_things_that_are_listed_twice_are_one(
    arrivals: un.Source, by_carrier: un.FeatureView, delay: un.Predictor
) -> None:
    twice = Definitions([arrivals, arrivals], [by_carrier, by_carrier], [delay, delay])
    assert twice == Definitions(predictors=[delay])


def test_two_things_of_one_name_are_all_shown_together(arrivals: un.Source) -> None:
    other = un.Source("arrivals", {"carrier": un.String}, event_time="at")

    def view(source: un.Source, window: str) -> un.FeatureView:
        return un.FeatureView("busy", source, key="carrier", aggregations=un.count(), windows=window)

    def predictor(view: un.FeatureView) -> un.Predictor:
        return un.Predictor("gate", request={"carrier": un.String}, time="t", features=view)

    views = [view(arrivals, "1h"), view(other, "1h")]
    with pytest.raises(un.DefinitionError) as error:
        Definitions([arrivals, other], views, map(predictor, views))
    assert [line.split(":")[1] for line in error.value.problems] == [
        " source arrivals",
        " view busy",
        " predictor gate",
    ]


def test_two_transforms_of_one_name_in_two_predictors_are_refused() -> None:
    def predictor(name: str, graph: bytes) -> un.Predictor:
        derive = un.Transform("calendar", inputs=("request",), graph=graph)
        return un.Predictor(name, request={"x": un.Int64}, time="t", features=[], derive=derive)

    with pytest.raises(un.DefinitionError, match="two different transforms of this name"):
        Definitions(predictors=[predictor("a", b"1"), predictor("b", b"2")])


def test_what_is_no_source_view_or_predictor_is_refused(arrivals: un.Source) -> None:
    with pytest.raises(un.DefinitionError) as error:
        Definitions(["arrivals"], [arrivals], [None])  # type: ignore[list-item]
    assert len(error.value.problems) == 3


def test_a_project_may_be_empty() -> None:
    assert Definitions() == Definitions([], [], [])
