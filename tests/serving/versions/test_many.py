"""Hundreds of models in one process whose memory is bounded: every answer is right, and the bound holds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.versions.models import prepared
from tests.serving.versions.served import write

MB = 1_000_000


def run(served: Path, budget: str, calls: int) -> dict[str, int]:
    """What another process sees that serves the models."""
    command = [sys.executable, "-m", "tests.serving.versions.many", str(served), budget, str(calls)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, int] = json.loads(done.stdout)
    return seen


@pytest.mark.slow
def test_thirty_models_with_room_for_a_few(tmp_path: Path) -> None:
    write(prepared(tmp_path, 30, models=2, trees=100), tmp_path / "models.json")
    seen = run(tmp_path / "models.json", f"+{10 * MB}", 300)
    assert (seen["right"], seen["failed"]) == (300, 0)
    assert seen["most"] <= seen["budget"]
    assert 3 <= seen["loaded"] < 30
    assert seen["evictions"] > 30


@pytest.mark.soak
def test_five_hundred_models_in_a_gigabyte(tmp_path: Path) -> None:
    write(prepared(tmp_path, 500, models=10, trees=1000), tmp_path / "models.json")
    seen = run(tmp_path / "models.json", str(1000 * MB), 20_000)
    assert (seen["right"], seen["failed"]) == (20_000, 0)
    assert seen["most"] <= 1000 * MB
    assert 50 <= seen["loaded"] < 500
    assert seen["evictions"] > 500
