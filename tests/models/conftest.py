from __future__ import annotations

import polars as pl
import pytest

from tests.models import samples


@pytest.fixture(scope="session")
def rows() -> pl.DataFrame:
    """Requests with features."""
    return samples.frame()
