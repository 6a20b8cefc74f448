"""JSON schemas of KServe's resources, from the models in its Python package, and of Kubernetes' own below them.

The package is read, not imported: it brings a server of its own, and wants another pandas than ours.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import kubernetes_validate  # type: ignore[import-untyped]

KINDS = {"ServingRuntime": "V1alpha1ServingRuntime", "InferenceService": "V1beta1InferenceService"}
_PLAIN = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "object": "object"}
_HOMES = (
    *(f"io.k8s.api.{home}" for home in ("core.v1", "apps.v1", "autoscaling.v2")),
    *(f"io.k8s.apimachinery.pkg.{home}" for home in ("apis.meta.v1", "api.resource")),
)


def validate(resource: Any, version: str) -> None:
    """Judge a resource of KServe. Raises jsonschema.ValidationError.

    version: of Kubernetes, whose own kinds are in it.
    """
    jsonschema.Draft202012Validator(_schema(resource["kind"], version)).validate(resource)


@cache
def _schema(kind: str, version: str) -> dict[str, Any]:
    """Of a resource: fields that it does not name are refused."""
    definitions: dict[str, Any] = {**_kubernetes(version)}
    _add(KINDS[kind], definitions)
    return {"$ref": f"#/$defs/{KINDS[kind]}", "$defs": definitions}


def _add(name: str, definitions: dict[str, Any]) -> None:
    """A model, and those that it needs."""
    if name in definitions:
        return
    types, keys = _fields(name)
    definitions[name] = {"type": "object", "additionalProperties": False}
    definitions[name]["properties"] = {keys[field]: _typed(kind, definitions) for field, kind in types.items()}


def _typed(kind: str, definitions: dict[str, Any]) -> dict[str, Any] | bool:
    if inner := re.fullmatch(r"list\[(.*)\]", kind):
        return {"type": "array", "items": _typed(inner[1], definitions)}
    if inner := re.fullmatch(r"dict\(str, (.*)\)", kind):
        return {"type": "object", "additionalProperties": _typed(inner[1], definitions)}
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if kind in _models():
        _add(kind, definitions)
        return {"$ref": f"#/$defs/{kind}"}
    return _of_kubernetes(kind, definitions)


def _of_kubernetes(kind: str, definitions: Mapping[str, Any]) -> dict[str, Any] | bool:
    """One of Kubernetes' own kinds, which the models call by its last part. What nobody describes may not be used."""
    own = re.sub(r"^(K8sIoApi)?(Apps|Autoscaling)?V[12](?=[A-Z])|^(Resource|V1beta1Metric)(?=Quantity)", "", kind)
    found = [f"{home}.{own}" for home in _HOMES if f"{home}.{own}" in definitions]
    return {"$ref": f"#/$defs/{found[0]}"} if found else False


@cache
def _models() -> Mapping[str, ast.ClassDef]:
    spec = find_spec("kserve")
    assert spec is not None and spec.origin is not None, "kserve is not installed: pip install --no-deps kserve"
    trees = (ast.parse(path.read_text()) for path in Path(spec.origin).with_name("models").glob("v1*.py"))
    return {node.name: node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}


def _fields(name: str) -> tuple[dict[str, str], dict[str, str]]:
    """The types of a model's fields, and what they are called in JSON."""
    found = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in _models()[name].body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Dict)
    }
    return found["openapi_types"], found["attribute_map"]


@cache
def _kubernetes(version: str) -> dict[str, Any]:
    home = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{version}-local-strict"
    found: dict[str, Any] = json.loads((home / "_definitions.json").read_text())["$defs"]
    return found
