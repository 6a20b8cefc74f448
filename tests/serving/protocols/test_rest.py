"""The Open Inference Protocol over HTTP, in process: what values arrive, what leaves, what is refused."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tests.serving.protocols.parts import MOST_BYTES, NamedVersion, Parts, ask, inputs, make_parts, tensor
from unisono.drivers.serving.exchange import Response
from unisono.kernel import nulls

INFER = "/v2/models/kinds/infer"
JSON_LENGTH = b"inference-header-content-length"


def infer(parts: Parts, body: Any, headers: Mapping[bytes, bytes] | None = None) -> tuple[int, Any]:
    response = ask(parts.service(), "POST", INFER, body, headers)
    return response.status, json.loads(response.body)


def header(response: Response, name: bytes) -> bytes | None:
    return dict(response.headers).get(name)


def binary(document: dict[str, Any], raws: Mapping[str, bytes]) -> tuple[bytes, dict[bytes, bytes]]:
    """A body in which some inputs are in binary form."""
    behind = b""
    for one in document["inputs"]:
        if one["name"] in raws:
            del one["data"]
            one["parameters"] = {"binary_data_size": len(raws[one["name"]])}
            behind += raws[one["name"]]
    text = json.dumps(document).encode()
    return text + behind, {JSON_LENGTH: str(len(text)).encode()}


def test_the_server_says_what_it_is() -> None:
    answer = json.loads(ask(make_parts().service(), "GET", "/v2").body)
    assert answer["name"] == "unisono" and answer["extensions"] == ["binary_tensor_data", "model_repository"]
    assert json.loads(ask(make_parts().service(), "GET", "/v2/").body) == answer


def test_metadata_has_an_input_for_each_column_and_the_outputs_of_the_graph() -> None:
    answer = json.loads(ask(make_parts().service(), "GET", "/v2/models/kinds/versions/champion").body)
    assert answer["versions"] == ["echo1"] and answer["platform"] == "onnx"
    assert {one["name"]: (one["datatype"], one["shape"]) for one in answer["inputs"]} == {
        "name": ("BYTES", [-1]),
        "shop": ("INT64", [-1]),
        "price": ("FP64", [-1]),
        "weight": ("FP64", [-1]),
        "flag": ("BOOL", [-1]),
        "due": ("INT64", [-1]),
        "window": ("FP32", [-1, 2, 2]),
        "asked_at": ("INT64", [-1]),
    }
    assert answer["outputs"][1] == {"name": "shares", "datatype": "FP32", "shape": [-1, 2]}


def test_an_inference_says_its_version_position_and_time_and_echoes_its_id() -> None:
    status, answer = infer(make_parts(), {"id": "42", "inputs": inputs(2)})
    assert status == 200
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("kinds", "echo1", "42")
    assert answer["parameters"] == {"position": 5, "time": "1970-01-01T00:00:00.000007Z"}
    by_name = {one["name"]: one for one in answer["outputs"]}
    assert by_name["prediction"] == {"name": "prediction", "datatype": "FP64", "shape": [2], "data": [0.25, 1.25]}
    assert by_name["shares"]["shape"] == [2, 2] and by_name["shares"]["data"] == [0.25, 0.75, 1.25, -0.25]
    assert by_name["seen"]["data"] == ["n0", "n1"] and by_name["large"]["data"] == [False, True]


def test_every_column_arrives_as_the_row_has_it() -> None:
    parts = make_parts()
    asked_at = tensor("asked_at", "INT64", [1_700_000_000_000_001])
    assert infer(parts, {"inputs": [*inputs(), asked_at]})[0] == 200
    (row,) = parts.echo.rows
    assert row[:6] == ("n0", 0, 1234, 0.25, True, 1_700_000_000_000_000) and row[7] == 1_700_000_000_000_001
    assert isinstance(row[6], np.ndarray) and row[6].dtype == np.float32 and row[6].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("change", "place", "value"),
    [
        ({"shop": tensor("shop", "INT32", [-5])}, 1, -5),
        ({"shop": tensor("shop", "UINT8", [[255]])}, 1, 255),
        ({"price": tensor("price", "BYTES", ["1234567890123456.78"])}, 2, 123456789012345678),
        ({"price": tensor("price", "INT64", [3])}, 2, 300),
        ({"price": tensor("price", "FP64", [0.07])}, 2, 7),
        ({"weight": tensor("weight", "FP32", [0.1])}, 3, float(np.float32(0.1))),
        ({"weight": tensor("weight", "UINT32", [2**32 - 1])}, 3, float(2**32 - 1)),
        ({"weight": tensor("weight", "FP64", [3])}, 3, 3.0),
        ({"due": tensor("due", "BYTES", ["2013-11-03T01:30:00.5-04:00"])}, 5, 1383456600500000),
        ({"n": tensor("name.null", "BOOL", [True])}, 0, None),
        ({"w": tensor("weight.null", "BOOL", [True])}, 3, None),
        ({"d": tensor("due.null", "BOOL", [False])}, 5, 1_700_000_000_000_000),
    ],
)
def test_datatypes_that_fit_are_taken_over_exactly(change: dict[str, Any], place: int, value: object) -> None:
    parts = make_parts()
    assert infer(parts, {"inputs": inputs(**change)})[0] == 200
    seen = parts.echo.rows[0][place]
    assert seen == value and type(seen) is type(value)


def test_flat_and_nested_data_mean_the_same() -> None:
    parts = make_parts()
    flat = tensor("window", "FP32", [1, 2, 3, 4], [1, 2, 2])
    assert infer(parts, {"inputs": inputs(window=flat)})[0] == 200
    window = parts.echo.rows[0][6]
    assert isinstance(window, np.ndarray) and window.tolist() == [[1, 2], [3, 4]]


def test_values_under_a_null_may_be_anything() -> None:
    parts = make_parts()
    change = {
        "price": tensor("price", "BYTES", ["", "1.5", "x"]),
        "mask": tensor("price.null", "BOOL", [True, False, True]),
    }
    assert infer(parts, {"inputs": inputs(3, **change)})[0] == 200
    assert [row[2] for row in parts.echo.rows] == [None, 150, None]


def test_features_that_the_caller_brings_are_not_looked_up() -> None:
    features = tensor("features", "FP64", [[2.0, 7.0], [3.0, 7.0]])
    status, answer = infer(make_parts(), {"inputs": [*inputs(2), features]})
    assert status == 200 and answer["outputs"][0]["data"] == [2.25, 4.25]
    mask = tensor("features.null", "BOOL", [[True, False], [False, False]])
    parts = make_parts()
    assert infer(parts, {"inputs": [*inputs(2), features, mask]})[0] == 200
    assert nulls(parts.echo.features).tolist() == [[True, False], [False, False]]


def test_outputs_can_be_chosen_and_the_rows_times_be_had() -> None:
    body = {"inputs": inputs(2), "outputs": [{"name": "asked_at"}, {"name": "large"}]}
    _, answer = infer(make_parts(), body)
    assert [one["name"] for one in answer["outputs"]] == ["asked_at", "large"]
    assert answer["outputs"][0] == {"name": "asked_at", "datatype": "INT64", "shape": [2], "data": [7, 7]}


BAD: dict[str, tuple[dict[str, Any] | list[Any] | None, str]] = {
    "no inputs": ({"inputs": []}, "no inputs; allowed: name: BYTES"),
    "an input missing": ({"inputs": inputs(shop=None)}, "no input shop"),
    "an unknown input": ({"inputs": inputs(x=tensor("x", "FP64", [1.0]))}, "no such input of kinds"),
    "an input twice": ({"inputs": [*inputs(), *inputs()]}, "comes twice"),
    "rows that do not agree": ({"inputs": inputs(shop=tensor("shop", "INT64", [1, 2]))}, "2 rows; allowed: 1, as"),
    "INT64 for a float": ({"inputs": inputs(weight=tensor("weight", "INT64", [1]))}, "FP64, or a datatype that fits"),
    "FP32 for a decimal": ({"inputs": inputs(price=tensor("price", "FP32", [1]))}, "allowed: FP64; a datatype"),
    "UINT64 for an integer": ({"inputs": inputs(shop=tensor("shop", "UINT64", [1]))}, "allowed: INT64"),
    "FP64 for a float32": ({"inputs": inputs(window=tensor("window", "FP64", [[[1, 2], [3, 4]]]))}, "FP32 [1, 2, 2]"),
    "an unknown datatype": ({"inputs": inputs(shop=tensor("shop", "BF16", [1]))}, 'datatype "BF16"; allowed: BOOL'),
    "a wrong type in data": ({"inputs": inputs(shop=tensor("shop", "INT64", ["1"]))}, "Expected `int`, got `str`"),
    "too large for its datatype": ({"inputs": inputs(shop=tensor("shop", "INT8", [128]))}, "`int` <= 127"),
    "too large for FP32": ({"inputs": inputs(weight=tensor("weight", "FP32", [1e39]))}, "too large for FP32"),
    "the lowest integer": ({"inputs": inputs(shop=tensor("shop", "INT64", [-(2**63)]))}, "or above"),
    "a negative side": ({"inputs": inputs(shop=tensor("shop", "INT64", [1], [-1]))}, "shape [-1]"),
    "no shape": ({"inputs": inputs(shop=tensor("shop", "INT64", [1], []))}, "one or more sides"),
    "a shape beyond all": ({"inputs": inputs(shop=tensor("shop", "INT64", [1], [2**62, 2**62]))}, "at most 67108864"),
    "more values than sides": ({"inputs": inputs(shop=tensor("shop", "INT64", [1, 2], [1]))}, "2 values; allowed: 1"),
    "lists of unequal length": (
        {"inputs": inputs(window=tensor("window", "FP32", [[[1, 2, 3], [4]]], [1, 2, 2]))},
        "lists of unequal length",
    ),
    "data too deep": ({"inputs": inputs(shop=tensor("shop", "INT64", [[[1]]], [1, 1]))}, "3 lists in one another"),
    "more places than a decimal has": ({"inputs": inputs(price=tensor("price", "FP64", [1.234]))}, "price: 1.234"),
    "no number": ({"inputs": inputs(price=tensor("price", "BYTES", ["12,5"]))}, '"12,5" is no number'),
    "a time out of range": ({"inputs": inputs(due=tensor("due", "INT64", [2**62]))}, "the years 1 to 9999"),
    "a time without a zone": ({"inputs": inputs(due=tensor("due", "BYTES", ["2023-11-15T00:00:00"]))}, "RFC 3339"),
    "a null tensor": ({"inputs": inputs(x=tensor("window.null", "BOOL", [True]))}, "no such input"),
    "a mask alone": ({"inputs": inputs(shop=None, x=tensor("shop.null", "BOOL", [True]))}, "comes without its input"),
    "a mask over two a row": (
        {"inputs": inputs(shop=tensor("shop", "INT64", [[1, 2]]), x=tensor("shop.null", "BOOL", [True]))},
        "INT64 [1, 2]; allowed: shape [1]",
    ),
    "a mask of numbers": ({"inputs": inputs(x=tensor("shop.null", "UINT8", [1]))}, "UINT8 [1]; allowed: BOOL"),
    "features of another width": ({"inputs": [*inputs(), tensor("features", "FP64", [[1.0]])]}, "FP64 [1, 2]"),
    "an unknown output": ({"inputs": inputs(), "outputs": [{"name": "x"}]}, '"x": no such output; allowed: prediction'),
    "an output twice": ({"inputs": inputs(), "outputs": [{"name": "seen"}] * 2}, "an output comes twice"),
    "a shape of many sides": ({"inputs": inputs(shop=tensor("shop", "INT64", [1], [1] * 9))}, "a shape of 9 sides"),
    "no document": (None, "truncated"),
    "a list": ([1], "Expected `object`, got `array`"),
    "a wrong timeout": ({"inputs": inputs(), "parameters": {"timeout": -1}}, ">= 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_request_that_does_not_fit_is_answered_400(name: str) -> None:
    body, message = BAD[name]
    status, answer = infer(make_parts(), body)
    assert status == 400 and answer["status"] == 400
    assert message in answer["error"] and "allowed: " in answer["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"inputs":' + b"[" * 100_000,
        json.dumps({"inputs": inputs()}).replace("[0]", "[" * 90_000 + "0" + "]" * 90_000).encode(),
        json.dumps({"inputs": inputs()}).replace('"shape": [1]', '"shape": [' + "1" * 50_000 + "]").encode(),
        json.dumps({"inputs": inputs()}).replace("[0]", "[" + "1" * 50_000 + "]").encode(),
        json.dumps({"inputs": inputs(shop=tensor("shop", "UINT64", [0]))})
        .replace("[0]", "[" + "1" * 9_000 + "]")
        .encode(),
        json.dumps({"inputs": inputs(), "parameters": {"timeout": 1}}).replace("1}}", "1" * 9_000 + "}}").encode(),
        json.dumps({"inputs": inputs(price=tensor("price", "BYTES", ["1e999999999999999999"]))}).encode(),
        json.dumps({"inputs": inputs(), "parameters": {"timeout": 10**400}}).encode(),
        json.dumps({"inputs": inputs(shop=tensor("shop", "UINT64", [10**400]))}).encode(),
        json.dumps({"inputs": inputs(shop=tensor("shop", "UINT64", [2**64]))}).encode(),
    ],
    ids=len,
)
def test_what_is_deep_or_long_beyond_reason_is_answered_400(body: bytes) -> None:
    assert infer(make_parts(), body)[0] == 400


def test_not_finite_numbers_are_null_in_the_text_and_themselves_in_binary_form() -> None:
    parts = make_parts()
    raw = struct.pack("<d", float("nan"))
    body, headers = binary({"inputs": inputs()}, {"weight": raw})
    assert infer(parts, body, headers)[1]["outputs"][0]["data"] == [None]
    body, headers = binary({"inputs": inputs(), "parameters": {"binary_data_output": True}}, {"weight": raw})
    response = ask(parts.service(), "POST", INFER, body, headers)
    length = int(header(response, JSON_LENGTH) or b"0")
    assert np.isnan(np.frombuffer(response.body[length : length + 8]))[0]


def texts(*values: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def test_binary_tensors_go_in_and_out() -> None:
    parts = make_parts()
    raws = {
        "name": texts(b"", "\N{SNOWMAN}".encode()),
        "shop": np.array([1, -2], "<i8").tobytes(),
        "flag": b"\0\1",
        "window": np.arange(8, dtype="<f4").tobytes(),
    }
    outputs = [
        {"name": "seen", "parameters": {"binary_data": True}},
        {"name": "prediction"},
        {"name": "large", "parameters": {"binary_data": True}},
    ]
    body, headers = binary({"inputs": inputs(2), "outputs": outputs}, raws)
    response = ask(parts.service(), "POST", INFER, body, headers)
    assert response.status == 200 and header(response, b"content-type") == b"application/octet-stream"
    length = int(header(response, JSON_LENGTH) or b"0")
    answer = json.loads(response.body[:length])
    assert response.body[length:] == texts(b"", "\N{SNOWMAN}".encode()) + b"\0\1"
    assert [one.get("parameters") for one in answer["outputs"]] == [
        {"binary_data_size": 11},
        None,
        {"binary_data_size": 2},
    ]
    assert [row[:2] for row in parts.echo.rows] == [("", 1), ("\N{SNOWMAN}", -2)]
    assert [row[4] for row in parts.echo.rows] == [False, True]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "0 bytes; allowed: 8"),
        (b"1234567", "7 bytes; allowed: 8"),
        (b"123456789", "9 bytes; allowed: 8"),
    ],
)
def test_binary_numbers_are_as_many_bytes_as_they_say(raw: bytes, message: str) -> None:
    body, headers = binary({"inputs": inputs()}, {"shop": raw})
    status, answer = infer(make_parts(), body, headers)
    assert status == 400 and message in answer["error"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\1\0\0", "4 bytes of length"),
        (b"\xff\xff\xff\xffabc", "ends after the data's 7 bytes"),
        (texts(b"a", b"b"), "5 bytes after the last element"),
        (texts(b"\xff"), "not UTF-8"),
    ],
)
def test_binary_texts_lie_within_their_bytes(raw: bytes, message: str) -> None:
    body, headers = binary({"inputs": inputs()}, {"name": raw})
    status, answer = infer(make_parts(), body, headers)
    assert status == 400 and message in answer["error"]


def test_a_truth_value_is_a_byte_of_0_or_1() -> None:
    body, headers = binary({"inputs": inputs()}, {"flag": b"\2"})
    assert "a byte of 2" in infer(make_parts(), body, headers)[1]["error"]


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"", b"99999", b"9" * 4000, b"3"])
def test_a_length_of_the_json_that_is_none_is_refused(length: bytes) -> None:
    assert infer(make_parts(), {"inputs": inputs()}, {JSON_LENGTH: length})[0] == 400


def test_a_tensor_has_data_or_binary_form_and_no_byte_is_left_over() -> None:
    document = {"inputs": inputs(shop={**tensor("shop", "INT64", [1]), "parameters": {"binary_data_size": 8}})}
    text = json.dumps(document).encode()
    headers = {JSON_LENGTH: str(len(text)).encode()}
    assert "both data and binary" in infer(make_parts(), text + bytes(8), headers)[1]["error"]
    assert "binary_data_size 8; allowed: 0 to 4" in infer(make_parts(), text + bytes(4), headers)[1]["error"]
    text = json.dumps({"inputs": inputs()}).encode()
    headers = {JSON_LENGTH: str(len(text)).encode()}
    assert "1 bytes behind the last" in infer(make_parts(), text + b"x", headers)[1]["error"]


@pytest.mark.parametrize(("name", "squeeze"), [(b"gzip", gzip.compress), (b"deflate", zlib.compress)])
def test_compressed_bodies_go_in_and_out(name: bytes, squeeze: Any) -> None:
    body = squeeze(json.dumps({"inputs": inputs(300)}).encode())
    headers = {b"content-encoding": name, b"accept-encoding": b"br, " + name + b";q=0.5"}
    response = ask(make_parts().service(), "POST", INFER, body, headers)
    assert response.status == 200 and header(response, b"content-encoding") == name
    answer = json.loads(zlib.decompress(response.body, wbits=47))
    assert answer["outputs"][0]["shape"] == [300]


@pytest.mark.parametrize("accepted", [b"br", b"gzip;q=0", b"gzip; q=0.0", b"identity", b""])
def test_an_answer_is_only_compressed_for_who_accepts_it(accepted: bytes) -> None:
    response = ask(make_parts().service(), "POST", INFER, {"inputs": inputs(300)}, {b"accept-encoding": accepted})
    assert header(response, b"content-encoding") is None and json.loads(response.body)


def test_a_body_that_would_grow_beyond_the_bound_is_refused_before_it_has() -> None:
    bomb = gzip.compress(bytes(MOST_BYTES * 20))
    status, answer = infer(make_parts(), bomb, {b"content-encoding": b"gzip"})
    assert status == 413 and answer["code"] == "body_too_large"


WHOLE = gzip.compress(b"{}", mtime=0)


@pytest.mark.parametrize("body", [b"", b"x", WHOLE[:-1], WHOLE + b"x"], ids=["nothing", "no gzip", "cut", "and more"])
def test_a_compressed_body_is_one_whole_stream(body: bytes) -> None:
    assert infer(make_parts(), body, {b"content-encoding": b"gzip"})[0] == 400


def test_another_compression_is_refused() -> None:
    assert infer(make_parts(), b"", {b"content-encoding": b"br"})[0] == 415


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v2/health/live", 200, None),
        ("GET", "/v2/health/ready", 200, None),
        ("GET", "/v2/models/kinds/ready", 200, None),
        ("GET", "/v2/models/kinds/versions/echo1/ready", 200, None),
        ("GET", "/v2/models/kinds/versions/2/ready", 404, "no_such_version"),
        ("GET", "/v2/models/kind/ready", 404, "no_such_model"),
        ("GET", "/v2/models/kind", 404, "no_such_model"),
        ("POST", "/v2/models/kind/infer", 404, "no_such_model"),
        ("GET", "/v2/models/kinds/infer", 405, "method_not_allowed"),
        ("POST", "/v2/models/kinds", 405, "method_not_allowed"),
        ("POST", "/v2/health/live", 405, "method_not_allowed"),
        ("GET", "/v2/repository/index", 405, "method_not_allowed"),
        ("POST", "/v2/repository/models/kind/load", 404, "no_such_model"),
        ("GET", "/v2/models", 404, "no_such_path"),
        ("GET", "/v2/models/kinds/infer/more", 404, "no_such_path"),
    ],
)
def test_addresses_and_methods(method: str, path: str, status: int, code: str | None) -> None:
    response = ask(make_parts().service(), method, path)
    answer = json.loads(response.body)
    assert (response.status, answer.get("code")) == (status, code)
    if code:
        assert answer["error"] == answer["detail"]
        assert header(response, b"content-type") == b"application/json"


def test_readiness_is_the_servers() -> None:
    parts = make_parts()
    parts.is_ready = False
    assert ask(parts.service(), "GET", "/v2/health/ready").status == 503
    assert ask(parts.service(), "GET", "/v2/health/live").status == 200


def test_models_are_listed_unloaded_and_loaded() -> None:
    parts = make_parts()
    service = parts.service()
    assert json.loads(ask(service, "POST", "/v2/repository/index").body) == [
        {"name": "kinds", "version": "echo1", "state": "READY", "reason": ""}
    ]
    assert ask(service, "POST", "/v2/repository/models/kinds/unload").status == 200
    assert ask(service, "GET", "/v2/models/kinds/ready").status == 503
    assert json.loads(ask(service, "POST", "/v2/repository/index", {"ready": True}).body) == []
    assert ask(service, "POST", "/v2/repository/models/kinds/load", {"parameters": {}}).status == 200
    assert ask(service, "GET", "/v2/models/kinds/ready").status == 200
    assert ask(service, "POST", "/v2/repository/index", b"[").status == 400


def test_the_version_in_the_address_and_the_timeout_reach_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    from unisono.drivers.serving.calls import Call

    seen: list[Call] = []
    submit = NamedVersion.submit

    def record(self: NamedVersion, call: Call) -> None:
        seen.append(call)
        submit(self, call)

    monkeypatch.setattr(NamedVersion, "submit", record)
    body = {"inputs": inputs(), "id": "me", "parameters": {"timeout": 5_000_000, "priority": 3}}
    path = "/v2/models/kinds/versions/champion/infer"
    service = make_parts().service()
    assert ask(service, "POST", path, body, {b"x-timeout-ms": b"60000"}).status == 200
    (call,) = seen
    assert (call.version, call.request_id, call.predictor) == ("champion", "me", "kinds")
    assert 4.9 < call.deadline_s - call.arrived_s < 5.1
    assert ask(service, "POST", path, body, {b"x-timeout-ms": b"soon"}).status == 400
