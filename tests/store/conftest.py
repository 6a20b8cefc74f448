"""What the tests of the registry share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.registries import Place


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a registry is to be that is not there yet; in SQLite and in a real PostgreSQL."""
    file = f"sqlite:///{tmp_path / 'registry.sqlite'}"
    url = file if request.param == "sqlite" else request.getfixturevalue("postgres").database()
    return Place(url, str(tmp_path / "artifacts"))
