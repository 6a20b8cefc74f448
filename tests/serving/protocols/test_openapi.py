"""The OpenAPI document: it is valid, its examples are answered, its paths are there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

import unisono as un
from tests.serving.protocols.parts import ask, make_parts
from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.online.predictor import OnlinePredictor
from unisono.drivers.serving.security.gate import Gate
from unisono.drivers.serving.wire.openapi import document, example_of


def found(online: OnlinePredictor | None = None) -> Any:
    return json.loads(ask(make_parts(online).service(), "GET", "/openapi.json").body)


def test_the_document_is_valid(online: OnlinePredictor) -> None:
    OpenAPIV31SpecValidator(found(online)).validate()


def test_the_document_of_a_server_with_tokens_says_so() -> None:
    plan = make_parts().catalogue.predictor("kinds").plan
    closed = document([plan], {}, wants_token=True)
    OpenAPIV31SpecValidator(closed).validate()
    assert closed["security"] == [{"token": []}] and "security" not in found()
    assert ask(make_parts(gate=Gate([])).service(), "GET", "/openapi.json").status == 401


def test_every_example_is_answered(online: OnlinePredictor) -> None:
    service = make_parts(online).service()
    for path, item in found(online)["paths"].items():
        content = item.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        for example in content.get("examples", {}).values():
            response = ask(service, "POST", path, example["value"])
            assert response.status == 200 or b"lies before the log" in response.body, (path, response.body)


OTHERS = ("/health/", "/metrics", "/admin/")


def test_every_path_is_there(online: OnlinePredictor) -> None:
    service = make_parts(online).service()
    for path, item in found(online)["paths"].items():
        if path.startswith(OTHERS):
            continue
        filled = path.replace("{name}", "kinds").replace("{version}", "echo1")
        for method in item.keys() - {"parameters"}:
            response = ask(service, method.upper(), filled, b"")
            assert response.status not in (404, 405), (method, filled, response.body)


def test_the_outputs_of_a_predictor_are_said() -> None:
    prediction = found()["components"]["schemas"]["kinds.prediction"]
    assert prediction["properties"] == {
        "prediction": {"type": ["number", "null"]},
        "shares": {"type": "array", "items": {"type": ["number", "null"]}, "minItems": 2, "maxItems": 2},
        "seen": {"type": "string"},
        "large": {"type": "boolean"},
    }


@pytest.mark.parametrize(("size", "has_one"), [(1000, True), (1001, False)])
def test_a_large_tensor_has_no_example(size: int, has_one: bool) -> None:
    columns = {"image": un.Tensor("UInt8", (size,)), "asked_at": un.Timestamp}
    plan = OnlinePlan("images", columns, "asked_at", (), ())
    assert (example_of(plan) is not None) == has_one
    OpenAPIV31SpecValidator(document([plan], {}, wants_token=False)).validate()


def test_the_document_is_made_anew_when_something_else_is_served() -> None:
    parts = make_parts()
    service = parts.service()
    first = ask(service, "GET", "/openapi.json").body
    assert ask(service, "GET", "/openapi.json").body is first
    parts.shelf.states["kinds"] = parts.shelf.states["kinds"].__class__("kinds", "echo2", "READY")
    assert ask(service, "GET", "/openapi.json").body != first
