"""What a request leaves behind: nothing that only the collector of garbage would find."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

from tests.serving.conftest import service
from unisono.drivers.online.predictor import OnlinePredictor
from unisono.drivers.serving.exchange import Request, Response
from unisono.drivers.serving.service import Service

ROUNDS = 50


def test_requests_leave_no_circles(online: OnlinePredictor, request_row: dict[str, Any]) -> None:
    found = asyncio.run(left_behind(service(online), json.dumps(request_row).encode()))
    assert found < ROUNDS  # of the loop, not of each request


async def left_behind(served: Service, good: bytes) -> int:
    """How many objects only the collector finds."""
    await ask_all(served, good)  # once, so that what is made once is there
    gc.collect()
    gc.disable()
    try:
        await ask_all(served, good)
        return gc.collect()
    finally:
        gc.enable()


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
