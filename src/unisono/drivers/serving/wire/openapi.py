"""The OpenAPI 3.1 document of a server, made from the plans of its predictors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import unisono
from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.serving.refusals import CODES
from unisono.drivers.serving.repository import Form
from unisono.drivers.serving.wire.datatypes import DATATYPES
from unisono.spec.types import DType, Tensor

Json = dict[str, Any]

_JSON = "application/json"
_PROBLEM = "application/problem+json"
_LARGEST_EXAMPLE = 1000  # numbers of a tensor

_SCALARS: Mapping[str, tuple[Json, Any]] = {
    "String": ({"type": "string"}, "a"),
    "Int64": ({"type": "integer", "minimum": -(2**63) + 1, "maximum": 2**63 - 1}, 1),
    "Float64": ({"type": "number"}, 0.5),
    "Bool": ({"type": "boolean"}, True),
    "Timestamp": ({"type": "string", "format": "date-time"}, "2026-01-01T00:00:00Z"),
    "Decimal": ({"type": ["number", "string"]}, 1),
}
"""Of each dtype: its schema, and an example."""


def document(plans: Sequence[OnlinePlan], outputs: Mapping[str, Sequence[Form]], *, wants_token: bool) -> Json:
    """The document.

    plans:       of the predictors that are served.
    outputs:     predictor -> its outputs, if they are known.
    wants_token: whether the server wants one of its callers.
    """
    paths: Json = {}
    schemas = _shared_schemas()
    for plan in plans:
        schemas[f"{plan.name}.request"] = request_schema(plan)
        schemas[f"{plan.name}.prediction"] = _prediction_schema(outputs.get(plan.name, ()))
        paths[f"/predict/{plan.name}"] = {"post": _predict(plan)}
        paths[f"/features/{plan.name}"] = {"post": _features(plan)}
    components: Json = {"schemas": schemas, "responses": {"problem": _problem_response()}}
    found: Json = {
        "openapi": "3.1.0",
        "info": {"title": "unisono", "version": unisono.__version__, "description": "Predictions by name."},
        "paths": {**paths, **_protocol_paths(), **_server_paths()},
        "components": components,
    }
    if wants_token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"token": []}]
    return found


# Predictors ----------------------------------------------------------------------------------------------------------


def request_schema(plan: OnlinePlan) -> Json:
    """What a request to a predictor is, with an example that it answers."""
    schema: Json = {
        "type": "object",
        "properties": {name: _column(plan, name, dtype) for name, dtype in plan.columns.items()},
        "required": [name for name in plan.columns if name != plan.time],
        "additionalProperties": False,
    }
    example = example_of(plan)
    return schema if example is None else {**schema, "examples": [example]}


def example_of(plan: OnlinePlan) -> Json | None:
    """A request that a predictor answers; None if it would be very large."""
    columns = {name: dtype for name, dtype in plan.columns.items() if name != plan.time}
    if any(isinstance(dtype, Tensor) and dtype.size > _LARGEST_EXAMPLE for dtype in columns.values()):
        return None
    return {name: _example(dtype) for name, dtype in columns.items()}


def _example(dtype: DType) -> Any:
    if not isinstance(dtype, Tensor):
        return _SCALARS[dtype.name][1]
    example: Any = 1
    for side in reversed(dtype.shape):
        example = [example] * side
    return example


def _column(plan: OnlinePlan, name: str, dtype: DType) -> Json:
    if isinstance(dtype, Tensor):
        schema: Json = {"type": "number" if dtype.element.startswith("Float") else "integer"}
        for side in reversed(dtype.shape):
            schema = {"type": "array", "items": schema, "minItems": side, "maxItems": side}
        return schema
    schema = dict(_SCALARS[dtype.name][0])
    if name not in plan.keys:
        kind = schema["type"]
        schema["type"] = [*([kind] if isinstance(kind, str) else kind), "null"]
    return schema


def _prediction_schema(outputs: Sequence[Form]) -> Json:
    if not outputs:
        return {"type": "object"}
    return {
        "type": "object",
        "properties": {one.name: _output_schema(one) for one in outputs},
        "required": [one.name for one in outputs],
    }


def _output_schema(form: Form) -> Json:
    kind = {"BYTES": "string", "BOOL": "boolean"}.get(form.datatype)
    schema: Json = {"type": kind or ["number", "null"]}
    for side in reversed(form.shape[1:]):
        sides = {} if side < 0 else {"minItems": side, "maxItems": side}
        schema = {"type": "array", "items": schema, **sides}
    return schema


def _predict(plan: OnlinePlan) -> Json:
    version: Json = {
        "name": "version",
        "in": "query",
        "description": "Id or alias of the version that is to answer.",
        "schema": {"type": "string"},
    }
    timeout: Json = {
        "name": "x-timeout-ms",
        "in": "header",
        "description": "How long you wait; what would come later is not computed.",
        "schema": {"type": "number", "exclusiveMinimum": 0},
    }
    one = _known({"prediction": _ref(f"{plan.name}.prediction"), "version": {"type": "string"}}, is_list=False)
    some = _known({"predictions": _list(_ref(f"{plan.name}.prediction")), "version": {"type": "string"}}, is_list=True)
    return {
        "operationId": f"predict_{plan.name}",
        "summary": f"Predictions of {plan.name}: for one request, or for a list of them",
        "parameters": [version, timeout],
        "requestBody": _request_body(plan),
        "responses": _responses({"anyOf": [one, some]}),
    }


def _features(plan: OnlinePlan) -> Json:
    value: Json = {"anyOf": [{"type": ["number", "null"]}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
    features: Json = {
        "type": "object",
        "properties": dict.fromkeys(plan.features, value),
        "required": list(plan.features),
    }
    answers = [_known({"features": features}, is_list=False), _known({"features": _list(features)}, is_list=True)]
    return {
        "operationId": f"features_{plan.name}",
        "summary": f"The features that {plan.name} would see: for one request, or for a list of them",
        "requestBody": _request_body(plan),
        "responses": _responses({"anyOf": answers}),
    }


def _known(properties: Json, *, is_list: bool) -> Json:
    """An answer about what was known, and when."""
    instant: Json = {"type": "string", "format": "date-time"}
    time = {"times": _list(instant)} if is_list else {"time": instant}
    return _object({**properties, "position": {"type": "integer"}, **time})


def _request_body(plan: OnlinePlan) -> Json:
    one = _ref(f"{plan.name}.request")
    content: Json = {"schema": {"anyOf": [one, {**_list(one), "minItems": 1}]}}
    example = example_of(plan)
    if example is not None:
        content["examples"] = {"one": {"value": example}, "some": {"value": [example, example]}}
    return {"required": True, "content": {_JSON: content}}


# The Open Inference Protocol -----------------------------------------------------------------------------------------


def _protocol_paths() -> Json:
    name: Json = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    version: Json = {**name, "name": "version", "description": "Id or alias."}
    paths: Json = {
        "/v2": {"get": _told("server_metadata", "What the server is", _ref("oip.server"))},
        "/v2/health/live": {"get": _told("v2_live", "Whether the server lives", {"type": "object"})},
        "/v2/health/ready": {"get": _told("v2_ready", "Whether it can answer", {"type": "object"})},
        "/v2/repository/index": {
            "post": _told("repository_index", "The versions that are served", _list(_ref("oip.version")))
        },
    }
    for under, parameters, suffix in (("", [name], ""), ("/versions/{version}", [name, version], "_version")):
        path = f"/v2/models/{{name}}{under}"
        paths[path] = {"parameters": parameters, "get": _told(f"metadata{suffix}", "A model", _ref("oip.model"))}
        ready = _told(f"model_ready{suffix}", "Whether a model can answer", {"type": "object"})
        paths[f"{path}/ready"] = {"parameters": parameters, "get": ready}
        infer = _told(f"infer{suffix}", "Inference", _ref("oip.answer"))
        infer["requestBody"] = {"required": True, "content": {_JSON: {"schema": _ref("oip.request")}}}
        paths[f"{path}/infer"] = {"parameters": parameters, "post": infer}
    for what in ("load", "unload"):
        operation = _told(what, f"Have a model {what}ed", {"type": "object"})
        paths[f"/v2/repository/models/{{name}}/{what}"] = {"parameters": [name], "post": operation}
    return paths


def _told(operation: str, summary: str, schema: Json) -> Json:
    return {"operationId": operation, "summary": summary, "responses": _responses(schema)}


def _shared_schemas() -> Json:
    text: Json = {"type": "string"}
    shape = _list({"type": "integer"})
    tensor = {"name": text, "datatype": {"enum": list(DATATYPES)}, "shape": shape}
    data: Json = {
        "type": "array",
        "items": {"anyOf": [_ref("oip.data"), {"type": ["number", "string", "boolean", "null"]}]},
    }
    parameters: Json = {"type": "object"}
    with_data = {**_object(tensor), "properties": {**tensor, "parameters": parameters, "data": _ref("oip.data")}}
    output = {**_object({"name": text}), "properties": {"name": text, "parameters": parameters}}
    request = _object({"inputs": _list(with_data)})
    request["properties"] |= {"id": text, "parameters": parameters, "outputs": _list(output)}
    answer = _object({"model_name": text, "model_version": text, "outputs": _list(with_data)})
    answer["properties"] |= {"id": text, "parameters": parameters}
    tensors = _list(_object(tensor))
    return {
        "problem": _problem_schema(),
        "oip.data": data,
        "oip.request": request,
        "oip.answer": answer,
        "oip.server": _object({"name": text, "version": text, "extensions": _list(text)}),
        "oip.version": _object({"name": text, "version": text, "state": text, "reason": text}),
        "oip.model": _object(
            {"name": text, "versions": _list(text), "platform": text, "inputs": tensors, "outputs": tensors}
        ),
    }


# The server ----------------------------------------------------------------------------------------------------------


def _server_paths() -> Json:
    metrics = _told("metrics", "Metrics, as Prometheus reads them", {})
    metrics["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    name: Json = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    rollback = _told("rollback", "Let the champion before the present one answer again", {"type": "object"})
    return {
        "/admin/models/{name}/rollback": {"parameters": [name], "post": rollback},
        "/admin/reload": {"post": _told("reload", "Read the configuration again", {"type": "object"})},
        "/admin/status": {"get": _told("status", "Workers, versions, positions, memory", {"type": "object"})},
        "/health/live": {"get": _told("live", "Whether the server lives", {"type": "object"})},
        "/health/ready": {"get": _told("ready", "Whether it can answer, and if not, why", {"type": "object"})},
        "/metrics": {"get": metrics},
        "/openapi.json": {"get": _told("openapi", "This document", {"type": "object"})},
    }


def _responses(schema: Json) -> Json:
    answer = {"description": "The answer", "content": {_JSON: {"schema": schema}}}
    return {"200": answer, "default": {"$ref": "#/components/responses/problem"}}


def _problem_response() -> Json:
    schema = {"schema": _ref("problem")}
    return {"description": "A refusal, as RFC 9457 has it", "content": {_PROBLEM: schema, _JSON: schema}}


def _problem_schema() -> Json:
    text: Json = {"type": "string"}
    status: Json = {"type": "integer"}
    code: Json = {"enum": list(CODES), "description": "Does not change."}
    return _object({"type": text, "title": text, "status": status, "detail": text, "code": code, "error": text})


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _object(properties: Json) -> Json:
    """An object in which all properties are there."""
    return {"type": "object", "properties": dict(properties), "required": list(properties)}
