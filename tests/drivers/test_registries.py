"""The registry that a project's unisono.toml names."""

from __future__ import annotations

from pathlib import Path

import pytest

from unisono.drivers.config import Config
from unisono.drivers.registries import open_registry


def test_a_project_in_a_relative_folder_keeps_its_registry_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    open_registry(Path("one"), Config("definitions.py")).close()
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("registry.sqlite")] == [
        "one/.unisono/registry.sqlite"
    ]
