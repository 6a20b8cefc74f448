"""`/predict` and `/features`, in process."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
import pytest

from tests.drivers.logs import VIEWS, World, columns_as_matrix
from tests.serving.conftest import frame_of
from tests.serving.protocols.parts import MOST_BYTES, NamedVersion, Parts, ask, make_parts
from unisono.drivers.online.predictor import OnlinePredictor
from unisono.drivers.serving.calls import Call
from unisono.drivers.serving.security.gate import Gate

ROW: dict[str, Any] = {
    "name": "n0",
    "shop": 7,
    "price": 12.34,
    "weight": 0.25,
    "flag": True,
    "due": "2023-11-14T22:13:20Z",
    "window": [[1, 2], [3, 4]],
}


def send(parts: Parts, path: str, body: Any, headers: dict[bytes, bytes] | None = None) -> tuple[int, Any]:
    response = ask(parts.service(), "POST", path, body, headers)
    return response.status, json.loads(response.body)


def test_one_row_and_a_list_of_rows() -> None:
    parts = make_parts()
    status, one = send(parts, "/predict/kinds", ROW)
    assert (status, one["version"], one["position"]) == (200, "echo1", 5)
    assert one["prediction"] == {"prediction": 0.25, "shares": [0.25, 0.75], "seen": "n0", "large": False}
    status, some = send(parts, "/predict/kinds", [ROW, {**ROW, "weight": None}])
    assert status == 200 and some["times"] == ["1970-01-01T00:00:00.000007Z"] * 2
    assert some["predictions"] == [one["prediction"], {**one["prediction"], "prediction": 0.0, "shares": [0.0, 1.0]}]


def test_a_row_in_the_protocol_and_a_plain_row_are_the_same() -> None:
    from tests.serving.protocols.parts import inputs, tensor

    plain, protocol = make_parts(), make_parts()
    assert send(plain, "/predict/kinds", ROW)[0] == 200
    changed = inputs(shop=tensor("shop", "INT64", [7]))
    assert send(protocol, "/v2/models/kinds/infer", {"inputs": changed})[0] == 200
    for left, right in zip(plain.echo.rows[0], protocol.echo.rows[0], strict=True):
        assert type(left) is type(right)
        assert np.array_equal(left, right)  # type: ignore[arg-type]  # values of any kind


@pytest.mark.parametrize(
    ("query", "version"),
    [("", None), ("version=challenger", "challenger"), ("version=", None), ("version=a%20b", "a b")],
)
def test_a_version_can_be_asked_for(monkeypatch: pytest.MonkeyPatch, query: str, version: str | None) -> None:
    from unisono.drivers.serving.exchange import Request

    seen: list[Call] = []
    monkeypatch.setattr(NamedVersion, "submit", lambda self, call: seen.append(call))
    request = Request("POST", "/predict/kinds", query=query.encode(), body=json.dumps(ROW).encode())
    make_parts().service().handle(request, lambda response: None)
    assert seen[0].version == version


@pytest.mark.parametrize("query", [b"versoin=1", b"version=1&version=2", b"version=1&x=2", b"&", b"\xff"])
def test_a_query_that_asks_for_something_else_is_refused(query: bytes) -> None:
    from unisono.drivers.serving.exchange import Request, Response

    answers: list[Response] = []
    request = Request("POST", "/predict/kinds", query=query, body=json.dumps(ROW).encode())
    make_parts().service().handle(request, answers.append)
    assert answers[0].status == 400 and b"allowed: ?version=ID" in answers[0].body


def test_bodies_may_be_compressed() -> None:
    rows = gzip.compress(json.dumps([ROW] * 100).encode())
    headers = {b"content-encoding": b"gzip", b"accept-encoding": b"gzip"}
    response = ask(make_parts().service(), "POST", "/predict/kinds", rows, headers)
    assert response.status == 200 and len(json.loads(gzip.decompress(response.body))["predictions"]) == 100
    bomb = gzip.compress(bytes(MOST_BYTES + 1))
    assert send(make_parts(), "/predict/kinds", bomb, headers)[0] == 413


def test_features_are_those_of_the_frame(online: OnlinePredictor, world: World, request_row: dict[str, Any]) -> None:
    status, answer = send(make_parts(online), "/features/risk", request_row)
    names = [name for view in VIEWS for name in view.feature_names]
    assert status == 200 and list(answer["features"]) == names
    frame = frame_of(world, request_row)
    for name in names:
        expected = frame.get_column(name)[0]
        seen = answer["features"][name]
        assert (None if seen is None else float(seen)) == expected or (seen == "NaN" and np.isnan(expected)), name
    assert answer["position"] == online.store.last.position
    assert columns_as_matrix(frame, names).shape == (1, len(names))


def test_features_of_several_rows(online: OnlinePredictor, request_row: dict[str, Any]) -> None:
    nobody = {**request_row, "user": "nobody"}
    status, answer = send(make_parts(online), "/features/risk", [request_row, nobody])
    assert status == 200 and len(answer["times"]) == 2
    counts = [row["by_user__count_1h"] for row in answer["features"]]
    assert counts[1] == 0.0 and None in answer["features"][1].values()
    assert answer["features"][0] == send(make_parts(online), "/features/risk", request_row)[1]["features"]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/features/none", ROW, 404, "no_such_model"),
        ("/features/kinds", {}, 422, "invalid_request"),
        ("/features/kinds", [ROW] * 1001, 422, "invalid_request"),
        ("/predict/kinds", [], 422, "invalid_request"),
    ],
)
def test_what_does_not_fit_is_refused(path: str, body: Any, status: int, code: str) -> None:
    seen, answer = send(make_parts(), path, body)
    assert (seen, answer["code"]) == (status, code)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/predict/kinds"),
        ("POST", "/features/kinds"),
        ("GET", "/openapi.json"),
        ("GET", "/v2/models/kinds"),
        ("GET", "/v2/models/kinds/ready"),
        ("POST", "/v2/models/kinds/infer"),
        ("POST", "/v2/models/unknown/infer"),
        ("POST", "/v2/repository/index"),
        ("POST", "/v2/repository/models/kinds/load"),
        ("POST", "/v2/repository/models/kinds/unload"),
    ],
)
def test_nobody_passes_a_closed_gate(method: str, path: str) -> None:
    parts = make_parts(gate=Gate([]))
    assert ask(parts.service(), method, path, b"{").status == 401
    assert parts.shelf.asked == []


@pytest.mark.parametrize("path", ["/v2", "/v2/health/live", "/v2/health/ready"])
def test_health_wants_no_token(path: str) -> None:
    assert ask(make_parts(gate=Gate([])).service(), "GET", path).status == 200
