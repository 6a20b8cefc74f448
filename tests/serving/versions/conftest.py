"""What the tests of versions share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving.versions.library import Library


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """One whose versions take 1000 bytes each, as they are expected to."""
    return Library(tmp_path)
