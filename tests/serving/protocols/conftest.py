"""The loop of the services in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving.protocols.parts import runner


@pytest.fixture(scope="session", autouse=True)
def closed_loop() -> Iterator[None]:
    yield
    runner().close()
    runner.cache_clear()
