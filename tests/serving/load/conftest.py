"""One small project for all servers here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving.load.served import make_served_project


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a model and its state."""
    return make_served_project(tmp_path_factory.mktemp("load") / "project")
