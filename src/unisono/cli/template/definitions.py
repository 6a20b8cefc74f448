"""Will this parcel come more than 10 minutes late? Asked when its courier sets off."""

import unisono as un

# What happens: a parcel is delivered; the courier's scanner reports it some time later.
deliveries = un.Source(
    "deliveries",
    schema={"courier": un.String, "district": un.String, "minutes_late": un.Int64},
    event_time="delivered_at",
    ingest_time="reported_at",
    id="parcel",
)


@un.transform
def lateness(deliveries):
    return {"late": deliveries["minutes_late"] > 10}


# What is known: the latest deliveries of this courier, and those in this district.
by_courier = un.FeatureView(
    "by_courier",
    deliveries,
    key="courier",
    derive=[lateness],
    windows=["2h", "1d", "7d"],
    aggregations=[un.count(), un.mean("minutes_late"), un.max("minutes_late"), un.mean("late")],
)

by_district = un.FeatureView(
    "by_district",
    deliveries,
    key="district",
    windows=["2h", "1d"],
    aggregations=[un.mean("minutes_late"), un.std("minutes_late")],
)


# What is asked: about one parcel, from what the request says and what is known at that time.
@un.transform
def calendar(request):
    hours = request["promised_at"].astype("int64") // 3_600_000_000  # microseconds to hours since 1970
    return {"hour": hours % 24, "weekday": (hours // 24 + 3) % 7}  # weekday 0 is Monday


late = un.Predictor(
    "late",
    request={"parcel": un.String, "courier": un.String, "district": un.String, "promised_at": un.Timestamp},
    time="asked_at",
    features=[by_courier, by_district],
    derive=[calendar],
    label=un.Label(deliveries, "late", on="parcel", within="1d"),
)
