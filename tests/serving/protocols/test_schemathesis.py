"""The Open Inference Protocol as it was published, tried by schemathesis: no 5xx, no break of the schema; and our own
document likewise.

UNISONO_ROUNDS: quick tries 5 examples an operation, test 20, soak 500.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec.yaml
import pytest

from tests.serving.protocols.conftest import Addresses
from tests.serving.protocols.parts import inputs

PUBLISHED = Path(__file__).parent / "oip" / "open_inference_rest.yaml"
EXAMPLES = {"quick": 5, "test": 20, "soak": 500}[os.environ.get("UNISONO_ROUNDS", "test")]

DEVIATIONS = {
    "400": "an address with control characters, which nobody reads any further; not as plain JSON, but as a problem",
    "404": "a model, version or path that is not there; the published file declares no answer for it",
    "413": "a body that is too large",
}
"""What the server answers beside what the published file declares; docs/protocols.md says so, too."""

NULL_MEANS_LEFT_OUT = {
    "inference_request": ("id", "parameters", "outputs"),
    "request_input": ("parameters",),
    "request_output": ("parameters",),
}
"""Schema -> fields that are not required; clients of other servers write null for them."""

WITHOUT = ("--exclude-checks", "positive_data_acceptance")
"""The published file does not know what a model's inputs are, so that it thinks any inputs should be accepted."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def published(*, name: str | None = None) -> dict[str, Any]:
    """The published description, its path parameters as OpenAPI writes them, with the declared deviations.

    name: the only model that is asked for; None: any.
    """
    document: dict[str, Any] = msgspec.yaml.decode(PUBLISHED.read_text().replace("${MODEL_", "{MODEL_"))
    error = {"schema": {"$ref": "#/components/schemas/inference_error_response"}}
    for item in document["paths"].values():
        for operation in (item[method] for method in item.keys() & {"get", "post"}):
            for status, why in DEVIATIONS.items():
                answer = operation["responses"].setdefault(status, {"description": why, "content": {}})
                answer["content"] |= dict.fromkeys(("application/json", "application/problem+json"), error)
        for parameter in item.get("parameters", ()) if name else ():
            parameter["schema"]["enum"] = [name if parameter["name"] == "MODEL_NAME" else "echo1"]
    for schema, fields in NULL_MEANS_LEFT_OUT.items():
        properties = document["components"]["schemas"][schema]["properties"]
        for field in fields:
            properties[field] = {"nullable": True, "allOf": [properties[field]]}
    if name:
        infer = document["paths"]["/v2/models/{MODEL_NAME}/versions/{MODEL_VERSION}/infer"]["post"]
        infer["requestBody"]["content"]["application/json"]["example"] = {"id": "42", "inputs": inputs(2)}
    return document


def find_nothing(place: Path, document: dict[str, Any], address: str) -> None:
    """Fails with what schemathesis reports, if it finds anything."""
    place.write_text(json.dumps(document))
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(place), "--url", address, "--no-color"]
    limits = ["--max-examples", str(EXAMPLES), "--seed", "7", "--generation-database", "none"]
    checks = ["--checks", "all", *WITHOUT]
    run = subprocess.run([*command, *limits, *checks], capture_output=True, text=True, timeout=1100, cwd=place.parent)
    if run.returncode:
        pytest.fail(run.stdout + run.stderr)


@pytest.mark.parametrize("name", [None, "kinds"])
def test_the_server_does_what_the_published_protocol_says(served: Addresses, tmp_path: Path, name: str | None) -> None:
    document = published(name=name)
    find_nothing(tmp_path / "published.json", document, served.http)


ELSEWHERE = ("/health/", "/metrics", "/admin/", "/v2/repository/models/")
"""Paths of other handlers; and loading, which others want to find loaded."""


def test_the_server_does_what_its_own_document_says(served: Addresses, tmp_path: Path) -> None:
    with urlopen(f"{served.http}/openapi.json") as answer:
        document = json.load(answer)
    document["paths"] = {path: item for path, item in document["paths"].items() if not path.startswith(ELSEWHERE)}
    for name in ("kinds", "risk"):
        parameters = document["paths"][f"/predict/{name}"]["post"]["parameters"]
        parameters[:] = [one for one in parameters if one["name"] != "x-timeout-ms"]  # a wait of 1e-300 ms is a 504
    find_nothing(tmp_path / "own.json", document, served.http)
