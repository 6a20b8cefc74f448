"""The client of `unisono serve`: predictions from another process, within a time that is kept.

    with unisono.Client("http://127.0.0.1:8080", token="uns_...") as client:
        client.predict("delay", {"carrier": "UA", "origin": "EWR", "dest": "SFO"})

`Client` is for ordinary code, `AsyncClient` for asyncio; they do the same. Both need `pip install 'unisono[client]'`.
"""

from __future__ import annotations

from unisono.client.answers import Answer, Features, Version
from unisono.client.asynchronous import AsyncClient
from unisono.client.errors import (
    BusyError,
    CallError,
    DeniedError,
    FailedError,
    LateError,
    RefusedError,
    UnreachableError,
)
from unisono.client.synchronous import Client

__all__ = [
    "Answer",
    "AsyncClient",
    "BusyError",
    "CallError",
    "Client",
    "DeniedError",
    "FailedError",
    "Features",
    "LateError",
    "RefusedError",
    "UnreachableError",
    "Version",
]
