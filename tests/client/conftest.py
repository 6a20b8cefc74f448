"""The server of tests/serving, for the client to ask."""

from __future__ import annotations

from tests.serving.conftest import client, online, request_row, world

__all__ = ["client", "online", "request_row", "world"]
