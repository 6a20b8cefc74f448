"""Instants as answers write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=16)  # most answers of a batch are of one instant
def datetime_of(time: int) -> datetime:
    """An instant, which msgspec's encoder writes as RFC 3339.

    time: microseconds since 1970, UTC.
    """
    return _EPOCH + timedelta(microseconds=time)


def text_of(time: int) -> str:
    """An instant as RFC 3339.

    >>> text_of(1)
    '1970-01-01T00:00:00.000001Z'
    """
    return datetime_of(time).isoformat().replace("+00:00", "Z")
