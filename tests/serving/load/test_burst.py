"""Ten times the callers for a while: who is refused is told when to come again, the others get their answers.

UNISONO_ROUNDS: quick and test last about 2 s, soak 30 s. How fast a refusal is, and how soon all is as before, says
`python -m benchmarks.burst`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.serving.callers import Seen, post, press
from tests.serving.load.served import PATH, ServedProject, request_body, serving

SECONDS = 30.0 if os.environ.get("UNISONO_ROUNDS") == "soak" else 2.0
CALLERS, TIMES = 16, 10
QUESTIONS = 20
GROWTH_MB = 30.0
# Few may wait, so that callers are refused however fast the machine is.
SETTINGS = f"""
[serve.workers]
count = 1

[serve.calls]
rows = {CALLERS}
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(project: Path) -> Iterator[ServedProject]:
    with serving(project, SETTINGS) as server:
        yield server


def test_a_burst_is_refused_where_it_is_too_much_and_leaves_nothing_behind(served: ServedProject) -> None:
    requests = [post(PATH, request_body(number), "x-timeout-ms: 20000") for number in range(QUESTIONS)]
    calm = _press(served, requests, CALLERS, 0.5)
    before_mb = served.resident_mb
    burst = _press(served, requests, TIMES * CALLERS, SECONDS)
    after_mb = served.resident_mb
    again = _press(served, requests, CALLERS, 0.5)

    predictions = {one.number: _prediction(one) for one in calm}
    assert all(_prediction(one) == predictions[one.number] for one in [*burst, *again] if one.status == 200)
    refused = [one for one in burst if one.is_refused]
    assert refused and all(int(one.retry_after) >= 1 for one in refused)
    assert {one.status for one in burst} == {200, 503}
    assert {one.status for one in again} == {200}, "it has not recovered"
    assert after_mb.keys() == before_mb.keys(), "a process ended"
    assert sum(after_mb.values()) - sum(before_mb.values()) < GROWTH_MB


def _press(served: ServedProject, requests: list[bytes], callers: int, seconds: float) -> list[Seen]:
    """What came of all requests that so many callers sent in so many seconds, each at least once."""
    seen: list[Seen] = []
    end_s = time.monotonic() + seconds
    wanted = max(callers, len(requests))
    going_on = itertools.takewhile(lambda number: number < wanted or time.monotonic() < end_s, itertools.count())
    numbers = (number % len(requests) for number in going_on)
    asyncio.run(press(served.port, requests, numbers, seen.append, connections=callers))
    return seen


def _prediction(seen: Seen) -> object:
    assert seen.status == 200, seen
    return json.loads(seen.body)["prediction"]
