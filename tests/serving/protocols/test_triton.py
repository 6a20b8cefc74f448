"""`tritonclient`, a client that is not ours, against a real server. It has an environment of its own: it wants an older
protobuf than we have."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.serving.protocols import triton_checks
from tests.serving.protocols.conftest import Addresses

CLIENT = "tritonclient[http,grpc]==2.73.0"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def python(request: pytest.FixtureRequest) -> Path:
    """An interpreter that has the client; made once, kept in pytest's cache."""
    assert request.config.cache is not None
    place = request.config.cache.mkdir("tritonclient-2.73.0")
    interpreter = place / "bin" / "python"
    is_there = [str(interpreter), "-c", "import tritonclient.http, tritonclient.grpc"]
    if interpreter.exists() and subprocess.run(is_there, capture_output=True).returncode == 0:
        return interpreter
    commands = [
        [sys.executable, "-m", "venv", "--clear", str(place)],
        [str(interpreter), "-m", "pip", "install", "--quiet", CLIENT],
    ]
    for command in commands:
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"{CLIENT} cannot be installed: {made.stderr[-300:]}")
    return interpreter


@pytest.fixture(scope="session")
def outcomes(python: Path, served: Addresses) -> Mapping[str, str]:
    command = [str(python), triton_checks.__file__, served.http.removeprefix("http://"), served.grpc]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    found: Mapping[str, str] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("check", triton_checks.CHECKS)
def test_an_independent_client_sees_what_the_protocol_says(outcomes: Mapping[str, str], check: str) -> None:
    assert outcomes[check] == ""
