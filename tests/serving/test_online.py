"""The online driver in process: the bits of the frame, and requests that do not fit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import unisono as un
from tests.drivers.logs import VIEWS, World, columns_as_matrix
from tests.drivers.streams import Adder
from tests.serving.conftest import frame_of
from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.online.predictor import OnlinePredictor
from unisono.drivers.online.reading import StateReader

FEATURES = [name for view in VIEWS for name in view.feature_names]


@pytest.mark.parametrize("user", ["u0", "u1", "nobody", "", "\N{SNOWMAN}" * 200])
def test_an_answer_has_the_features_of_the_frame(
    online: OnlinePredictor, world: World, request_row: dict[str, Any], user: str
) -> None:
    row = {**request_row, "user": user}
    answer = online.answer(json.dumps(row).encode())
    frame = frame_of(world, row)
    assert (answer.features.view(np.int64) == columns_as_matrix(frame, FEATURES)).all()
    expected = Adder().score(frame, answer.features)
    assert answer.prediction == {name: values[0].tolist() for name, values in expected.items()}
    assert (answer.version, answer.position) == ("adder", online.store.last.position)


def test_one_view_of_one_key_can_be_read(online: OnlinePredictor, world: World, request_row: dict[str, Any]) -> None:
    reader, view = StateReader(online.store, online.plan), VIEWS[1]
    features = reader.features(view.name, ["u1", 1], online.store.last.time)
    assert (features.view(np.int64) == columns_as_matrix(frame_of(world, request_row), view.feature_names)).all()


def test_without_a_time_the_clock_is_asked_but_never_goes_behind_the_log(
    online: OnlinePredictor, request_row: dict[str, Any]
) -> None:
    timeless = json.dumps({**request_row, "asked_at": None}).encode()
    assert online.answer(timeless).time == online.store.last.time
    del request_row["asked_at"]
    ahead = OnlinePredictor(online.plan, online.store, Adder(), clock=lambda: online.store.last.time + 5)
    assert ahead.answer(json.dumps(request_row).encode()).time == online.store.last.time + 5


BAD: dict[str, tuple[Any, str]] = {
    "no key": ({"user": ...}, "missing required field `user`"),
    "a null key": ({"user": None}, "Expected `str`, got `null` - at `$.user`"),
    "an unknown field": ({"usr": "u1"}, "unknown field `usr`"),
    "a wrong type": ({"shop": "1"}, "Expected `int`, got `str` - at `$.shop`"),
    "a float for a whole number": ({"shop": 1.5}, "Expected `int`, got `float`"),
    "a whole number of 65 bits": ({"shop": 2**63}, "at `$.shop`"),
    "a time without a zone": ({"asked_at": "2023-11-15T00:00:00"}, "timezone component - at `$.asked_at`"),
    "no time at all": ({"asked_at": "yesterday"}, "Invalid RFC3339"),
    "a time before the log's": ({"asked_at": "2001-01-01T00:00:00Z"}, "lies before the log's time; allowed: 2023"),
    "a time out of range": ({"asked_at": "0001-01-01T00:00:00+05:00"}, "out of range; allowed: the years 1 to 9999"),
    "NaN": (b'{"user":"u","shop":NaN,"note":"n"}', "malformed"),
    "1e400": (b'{"user":"u","shop":1e400,"note":"n"}', "out of range"),
    "invalid UTF-8": (b'{"user":"\xff","shop":1,"note":"n"}', "not UTF-8"),
    "half a request": (b'{"user":"u"', "truncated"),
    "nothing": (b"", "truncated"),
    "no object": (b"[1]", "Expected `object`"),
    "a hundred thousand brackets": (b"[" * 100_000, "Expected `object`"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_request_that_does_not_fit_is_refused(
    online: OnlinePredictor, request_row: dict[str, Any], name: str
) -> None:
    change, message = BAD[name]
    if isinstance(change, dict):
        row = {field: value for field, value in {**request_row, **change}.items() if value is not ...}
        change = json.dumps(row).encode()
    before = online.store.last
    with pytest.raises(un.InputError) as caught:
        online.answer(change)
    assert message in str(caught.value) and "request to risk: " in str(caught.value)
    assert online.store.last == before


COLUMNS = {"price": un.Decimal(places=2), "weight": un.Float64, "flag": un.Bool, "when": un.Timestamp}
NUMBERS = OnlinePlan("numbers", {**COLUMNS, "asked_at": un.Timestamp}, "asked_at", (), ())


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("price", "12.34", 1234),
        ("price", '"12.34"', 1234),
        ("price", "-0.5", -50),
        ("price", "1234567890123456.78", 123456789012345678),
        ("price", "null", None),
        ("weight", "3", 3.0),
        ("weight", "1e-400", 0.0),
        ("flag", "true", True),
        ("when", '"2013-11-03T01:30:00.5-04:00"', 1383456600500000),
        ("price", "12.345", "12.345; allowed: Decimal(2): at most 2 decimal places"),
        ("price", '"1.50000000000000000000000000000000000"', 150),
        ("price", '"1.50000000000000000000000000000000001"', "price: 1.5000"),
        ("price", '"1e-99999999999"', "price: 1E-99999999999"),
        ("price", "1e400", "price: 1E+400"),
        ("price", '"nan"', "price: NaN"),
        ("price", '"12,5"', "at `$.price`"),
        ("weight", "1e400", "out of range"),
        ("weight", "Infinity", "malformed"),
        ("flag", "1", "Expected `bool"),
        ("when", "5", "Expected `datetime"),
    ],
)
def test_values_are_taken_over_exactly_or_refused(field: str, text: str, value: object) -> None:
    from unisono.drivers.online.requests import RequestDecoder

    fields = {"price": "1", "weight": "1", "flag": "false", "when": "null", field: text}
    body = ("{" + ",".join(f'"{name}":{one}' for name, one in fields.items()) + "}").encode()
    decoder = RequestDecoder(NUMBERS)
    if isinstance(value, str):
        with pytest.raises(un.InputError) as caught:
            decoder.decode(body)
        assert value in str(caught.value)
    else:
        assert decoder.decode(body)[list(NUMBERS.columns).index(field)] == value
