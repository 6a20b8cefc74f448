"""Every engine answers every log as the reference does, bit for bit, however the log is taken apart."""

from __future__ import annotations

import pytest

from .engines import Engine
from .judges import JUDGES, try_all

pytestmark = pytest.mark.slow

PLAIN = ("requests", "single items", "frame", "partitions", "events", "advances")


@pytest.mark.parametrize("judge", PLAIN)
def test_an_engine_answers_as_the_reference_does(engine: Engine, judge: str) -> None:
    try_all(engine, JUDGES[judge])


@pytest.mark.soak
@pytest.mark.parametrize("judge", JUDGES)
def test_an_engine_does_what_the_reference_does_for_very_many_logs(engine: Engine, judge: str) -> None:
    try_all(engine, JUDGES[judge])
