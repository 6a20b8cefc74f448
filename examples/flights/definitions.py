"""Will this flight arrive more than 15 minutes late?  Asked two hours before it is due to leave."""

# Transforms take arrays of whatever array library calls them, so their parameters have no type.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from datetime import UTC, datetime

import unisono as un

# What happens ---------------------------------------------------------------------------------------------------------

departures = un.Source(
    "departures",
    schema={
        "carrier": un.String,
        "origin": un.String,
        "dest": un.String,
        "tailnum": un.String,
        "dep_delay": un.Decimal(places=0),
        "block_minutes": un.Int64,
    },
    event_time="left_at",
    id="flight_id",
    remember_ids="2d",
)

arrivals = un.Source(
    "arrivals",
    schema={
        "carrier": un.String,
        "flight": un.Int64,
        "origin": un.String,
        "dest": un.String,
        "tailnum": un.String,
        "arr_delay": un.Decimal(places=0),
    },
    event_time="landed_at",
    ingest_time="reported_at",
    id="flight_id",
    remember_ids="2d",
)

cancellations = un.Source(
    "cancellations",
    schema={"carrier": un.String, "origin": un.String, "dest": un.String},
    event_time="cancelled_at",
    id="flight_id",
)

queue = un.Source(  # +1 when a flight is due to leave, -1 when it leaves or is cancelled
    "queue",
    schema={"carrier": un.String, "origin": un.String, "change": un.Int64},
    event_time="changed_at",
)

weather = un.Source(
    "weather",
    schema={
        "origin": un.String,
        "temp": un.Decimal(places=2),
        "humid": un.Decimal(places=2),
        "precip": un.Decimal(places=2),
        "visib": un.Decimal(places=2),
        "pressure": un.Decimal(places=1),
        "wind_gust": un.Float64,
        "wind_speed": un.Float64,
    },
    event_time="observed_at",
    ingest_time="known_at",
)

# What is known --------------------------------------------------------------------------------------------------------


@un.transform
def lateness(arrivals):
    return {"late": arrivals["arr_delay"] > 15}


@un.transform
def tardiness(departures):
    return {"late": departures["dep_delay"] > 15}


by_carrier = un.FeatureView(
    "by_carrier",
    arrivals,
    key="carrier",
    derive=[lateness],
    windows=["1h", "6h", "7d"],
    aggregations=[un.count(), un.mean("arr_delay"), un.std("arr_delay"), un.max("arr_delay"), un.mean("late")],
)

by_route = un.FeatureView(
    "by_route",
    arrivals,
    key=["origin", "dest"],
    derive=[lateness],
    windows=["6h", "7d"],
    aggregations=[un.mean("arr_delay"), un.mean("late")],
)

by_dest = un.FeatureView("by_dest", arrivals, key="dest", windows=["1h", "6h"], aggregations=un.mean("arr_delay"))

by_flight = un.FeatureView(  # the same flight number on the days before
    "by_flight",
    arrivals,
    key=["carrier", "flight"],
    derive=[lateness],
    windows=["7d", "28d"],
    aggregations=[un.mean("arr_delay"), un.mean("late"), un.last("arr_delay")],
)

by_plane = un.FeatureView(
    "by_plane",
    arrivals,
    key="tailnum",
    derive=[lateness],
    windows="7d",
    aggregations=[un.count(), un.mean("arr_delay"), un.mean("late")],
)

plane_in = un.FeatureView(
    "plane_in", arrivals, key="tailnum", aggregations=[un.last("arr_delay"), un.last("landed_at")]
)

plane_out = un.FeatureView(
    "plane_out",
    departures,
    key="tailnum",
    aggregations=[un.last("dep_delay"), un.last("left_at"), un.last("block_minutes")],
)

by_origin = un.FeatureView(
    "by_origin",
    departures,
    key="origin",
    derive=[tardiness],
    windows=["1h", "6h", "7d"],
    aggregations=[un.count(), un.mean("dep_delay"), un.mean("late")],
)

by_carrier_origin = un.FeatureView(
    "by_carrier_origin",
    departures,
    key=["carrier", "origin"],
    derive=[tardiness],
    windows=["1h", "6h", "7d"],
    aggregations=[un.mean("dep_delay"), un.mean("late")],
)

cancelled = un.FeatureView("cancelled", cancellations, key="origin", windows=["1h", "6h"], aggregations=un.count())

waiting = un.FeatureView("waiting", queue, key="origin", aggregations=un.sum("change"))

waiting_of_carrier = un.FeatureView(
    "waiting_of_carrier", queue, key=["carrier", "origin"], aggregations=un.sum("change")
)

weather_now = un.FeatureView(
    "weather_now",
    weather,
    key="origin",
    aggregations=[
        un.last("temp"),
        un.last("humid"),
        un.last("precip"),
        un.last("visib"),
        un.last("pressure"),
        un.last("wind_gust"),
        un.last("wind_speed"),
    ],
)

weather_before = un.FeatureView(
    "weather_before", weather, key="origin", windows="6h", aggregations=[un.sum("precip"), un.mean("pressure")]
)

# What is asked --------------------------------------------------------------------------------------------------------

_MINUTE = 60_000_000  # microseconds
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_SUMMER_FROM, _SUMMER_TO = (
    int(change.timestamp()) * 1_000_000
    for change in (datetime(2013, 3, 10, 7, tzinfo=UTC), datetime(2013, 11, 3, 6, tzinfo=UTC))
)
_CARRIERS = ("9E", "AA", "AS", "B6", "DL", "EV", "F9", "FL", "HA", "MQ", "OO", "UA", "US", "VX", "WN", "YV")
_ORIGINS = ("EWR", "JFK", "LGA")


@un.transform
def calendar(request):
    """The hour of the day and the weekday in New York (0 is Monday).

    No month: the model is judged on months that its training never saw.
    """
    due = request["sched_dep"].astype("int64")
    summer = ((due >= _SUMMER_FROM) & (due < _SUMMER_TO)).astype("int64")
    local = due + (summer - 5) * _HOUR
    return {"hour": (local % _DAY).astype("float64") / _HOUR, "weekday": (local // _DAY + 3) % 7}


@un.transform
def codes(request):
    carrier = sum((request["carrier"] == name).astype("int64") * code for code, name in enumerate(_CARRIERS, 1))
    origin = sum((request["origin"] == name).astype("int64") * code for code, name in enumerate(_ORIGINS, 1))
    return {"carrier_code": carrier, "origin_code": origin}


@un.transform
def aircraft(request, features):
    """Its age; whether it can be back: minutes from its last known move to the departure, less the flights it needs."""
    due = request["sched_dep"].astype("int64").astype("float64")
    landed = features["plane_in__landed_at_last_all"]
    left = features["plane_out__left_at_last_all"]
    there_and_back = 2.0 * features["plane_out__block_minutes_last_all"]
    return {
        "plane_age": 2013 - request["plane_year"],
        "minutes_since_landing": (due - landed) / _MINUTE,
        "spare_minutes": (due - left) / _MINUTE - there_and_back,
    }


@un.transform
def trends(request, features):
    pace = request["block_minutes"].astype("float64") - request["distance"].astype("float64") / 7.6
    rise = features["weather_now__pressure_last_all"] - features["weather_before__pressure_mean_6h"]
    return {"padding": pace, "pressure_rise": rise}


delay = un.Predictor(
    "delay",
    request={
        "carrier": un.String,
        "flight": un.Int64,
        "origin": un.String,
        "dest": un.String,
        "tailnum": un.String,
        "sched_dep": un.Timestamp,
        "distance": un.Int64,
        "block_minutes": un.Int64,
        "planned_departures": un.Int64,
        "plane_year": un.Int64,
        "seats": un.Int64,
    },
    time="asked_at",
    features=[
        by_carrier,
        by_route,
        by_dest,
        by_flight,
        by_plane,
        plane_in,
        plane_out,
        by_origin,
        by_carrier_origin,
        cancelled,
        waiting,
        waiting_of_carrier,
        weather_now,
        weather_before,
    ],
    derive=[calendar, codes, aircraft, trends],
    label=un.Label(arrivals, "late", on="flight_id", within="2d"),
)
