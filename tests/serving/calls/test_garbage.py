"""What a request leaves behind: nothing that only the collector of garbage would find."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

import pytest

from tests.serving.conftest import service
from unisono.drivers.online.predictor import OnlinePredictor
from unisono.drivers.serving.calls import Call
from unisono.drivers.serving.exchange import Request, Response
from unisono.drivers.serving.service import Service

ROUNDS = 50


@pytest.mark.slow
def test_a_call_that_is_over_is_gone_without_the_collector(
    online: OnlinePredictor, request_row: dict[str, Any]
) -> None:
    served, good = service(online), json.dumps(request_row).encode()
    gc.disable()
    try:
        before = calls_in_memory()
        asyncio.run(ask_all(served, good))
        assert calls_in_memory() <= before
    finally:
        gc.enable()


def calls_in_memory() -> int:
    # By type, not isinstance: that asks strangers for their `__class__`, and some of them warn.
    return sum(type(one) is Call for one in gc.get_objects())


async def ask_all(served: Service, good: bytes) -> None:
    """Requests that are answered, refused, and taken back."""
    for number in range(ROUNDS):
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        body = b"{}" if number % 5 == 0 else good
        cancel = served.handle(Request("POST", "/predict/risk", body=body), answered.set_result)
        if number % 7 == 0 and cancel is not None:
            cancel()
            await asyncio.sleep(0)
        else:
            await answered
