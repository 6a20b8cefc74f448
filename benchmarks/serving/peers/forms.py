"""The request and the answer for peers that validate with pydantic."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """What a row is answered."""

    probability: float


class Row(BaseModel):
    """A row to be scored."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    f00: float
    f01: float
    f02: float
    f03: float
    f04: float
    f05: float
    f06: float
    f07: float
    f08: float
    f09: float
    f10: float
    f11: float
    f12: float
    f13: float
    f14: float
    f15: float
    f16: float
    f17: float
    f18: float
    f19: float
    f20: float
    f21: float
    f22: float
    f23: float
    f24: float
    f25: float
    f26: float
    f27: float
    f28: float
    f29: float


def values(row: Row) -> Sequence[float]:
    """A row's numbers, in order."""
    return tuple(row.__dict__.values())
