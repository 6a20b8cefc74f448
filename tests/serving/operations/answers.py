"""Answered batches without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import unisono as un
from unisono.drivers.online.plan import OnlinePlan
from unisono.drivers.online.reading import Known
from unisono.drivers.scores import Matrix, Outputs, Row
from unisono.drivers.serving.batches import Batch
from unisono.drivers.serving.calls import Call, Outcome
from unisono.kernel.codec import NULL
from unisono.spec.types import DType

COLUMNS: Mapping[str, DType] = {
    "user": un.String,
    "shop": un.Int64,
    "weight": un.Float64,
    "ok": un.Bool,
    "price": un.Decimal(places=2),
    "when": un.Timestamp,
    "image": un.Tensor("UInt8", (2, 3)),
    "asked_at": un.Timestamp,
}
PLAN = OnlinePlan("risk", COLUMNS, "asked_at", ("one", "two"), ())


@dataclass(frozen=True)
class Version:
    """A version that is asked nothing."""

    id: str = "v1"

    def look_up(self, call: Call, *, aside: bool = False) -> Known:
        raise AssertionError

    def look_up_together(self, calls: Sequence[Call]) -> tuple[Known, list[Known]]:
        raise AssertionError

    def score(self, rows: Sequence[Row], features: Matrix) -> Outputs:
        raise AssertionError

    def stop(self) -> None:
        raise AssertionError


def row(number: int) -> Row:
    """A request; every third is null where it may be."""
    image = np.full((2, 3), number % 256, np.uint8)
    time = 1_700_000_000_000_000 + number
    if number % 3 == 2:
        return ("", None, None, None, None, None, image, time)
    return (f"u{number} ü", -number, number / 7, number % 2 == 0, number * 101, time - 5, image, time)


def known(numbers: Sequence[int]) -> Known:
    """What is known about some rows; the second feature is null."""
    rows = [row(number) for number in numbers]
    features = np.array([[number / 3, NULL] for number in numbers])
    return Known(rows, [1_700_000_000_000_000 + number for number in numbers], features, 1000 + numbers[0])


def outputs(numbers: Sequence[int]) -> Mapping[str, Any]:
    """Outputs of every kind."""
    return {
        "score": np.array(numbers, np.float32) / np.float32(3),
        "label": np.array([f"class {number}" for number in numbers], object),
        "vector": np.array([[number, -number] for number in numbers], np.float64),
    }


def answered(*calls: Sequence[int], ids: Sequence[str] = (), version: str = "v1", shadow: bool = False) -> Batch:
    """A batch of calls, each with the rows of some numbers."""
    names = ids or [""] * len(calls)
    made = [
        Call("risk", [row(number) for number in numbers], _ignore, request_id=one)
        for numbers, one in zip(calls, names, strict=True)
    ]
    every = [number for numbers in calls for number in numbers]
    return Batch(
        answers=Version(version),
        asked=made,
        calls=made,
        known=[known(numbers) for numbers in calls],
        outputs=outputs(every),
        model_s=0.001,
        shadow=shadow,
    )


def _ignore(outcome: Outcome) -> None:
    pass
