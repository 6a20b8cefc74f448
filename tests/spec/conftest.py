"""The flights of DESIGN.md, as the spec's tests use them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

import unisono as un


@un.transform
def lateness(arrivals):  # type: ignore[no-untyped-def]
    return {"late": arrivals["arr_delay"] > 15}


@un.transform
def calendar(request):  # type: ignore[no-untyped-def]
    return {"hour": request["sched_dep"].astype("int64") // 3_600_000_000 % 24}


@pytest.fixture
def arrivals() -> un.Source:
    return un.Source(
        "arrivals",
        schema={"carrier": un.String, "origin": un.String, "dest": un.String, "arr_delay": un.Decimal(places=0)},
        event_time="landed_at",
        ingest_time="reported_at",
        id="flight_id",
        remember_ids="30d",
        timezone="America/New_York",
    )


@pytest.fixture
def by_carrier(arrivals: un.Source) -> un.FeatureView:
    return un.FeatureView(
        "by_carrier",
        arrivals,
        key="carrier",
        derive=[lateness],
        windows=["1h", "6h", "7d"],
        aggregations=[un.count(), un.mean("arr_delay"), un.std("arr_delay"), un.max("arr_delay"), un.mean("late")],
    )


@pytest.fixture
def by_route(arrivals: un.Source) -> un.FeatureView:
    return un.FeatureView("by_route", arrivals, key=["origin", "dest"], aggregations=[un.last("arr_delay")])


@pytest.fixture
def delay(arrivals: un.Source, by_carrier: un.FeatureView, by_route: un.FeatureView) -> un.Predictor:
    return un.Predictor(
        "delay",
        request={"carrier": un.String, "origin": un.String, "dest": un.String, "sched_dep": un.Timestamp},
        time="asked_at",
        features=[by_carrier, by_route],
        derive=[calendar],
        label=un.Label(arrivals, "late", on="flight_id", within="2d"),
    )


@pytest.fixture
def graphs() -> Mapping[str, bytes]:
    return {"lateness": b"graph of lateness", "calendar": b"graph of calendar \x00\xff"}
