"""Callers shared out among versions: the same entity always gets the same one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
import numpy as np

from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.scores import Row

_WHOLE = 1 << 64


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, np.ndarray):
        return value.tobytes()
    raise TypeError(f"{type(value).__name__} is no value of a request")


class Sticky:
    """Where an entity stands between 0 and 1: at the same place in every process, on every machine, at any time.

    The place is BLAKE2b, 8 bytes, big-endian, of the MessagePack form of [predictor, rows], each row the values of the
    key columns of all views, in the order of the request's columns; of a predictor without keys, all values but the
    time. So the rows of one request stay together, and other predictors part their entities otherwise.
    """

    def __init__(self, plan: OnlinePlan) -> None:
        keys = plan.keys or plan.columns.keys() - {plan.time}
        self._places = [place for place, name in enumerate(plan.columns) if name in keys]
        self._predictor = plan.name
        self._encode = msgspec.msgpack.Encoder(enc_hook=_as_bytes).encode

    def place(self, rows: Sequence[Row]) -> float:
        """Of whom the rows are about: from 0 up to, but not including, 1."""
        about = [[row[place] for place in self._places] for row in rows]
        digest = blake2b(self._encode((self._predictor, about)), digest_size=8).digest()
        return (int.from_bytes(digest, "big") >> 11) / (_WHOLE >> 11)  # a float has 53 bits


def shares(split: Mapping[str, float], champion: str) -> list[tuple[float, str]]:
    """The place up to which each alias answers, in order; what is left is the champion's.

    Others come first, by name, so that a challenger whose share grows keeps those whom it has.

    >>> shares({"champion": 0.75, "challenger": 0.25}, "champion")
    [(0.25, 'challenger')]
    """
    total = sum(split.values())
    scale = 1.0 / total if total > 1 or (total and champion in split) else 1.0
    found: list[tuple[float, str]] = []
    upto = 0.0
    for alias, weight in sorted(split.items()):
        if alias != champion and weight:
            upto += weight * scale
            found.append((upto, alias))
    return found
