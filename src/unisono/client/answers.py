"""What a server answers, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

import msgspec

from unisono.client.errors import FailedError
from unisono.spec.wording import one_line

T = TypeVar("T")
_Number = float | Literal["NaN", "Infinity", "-Infinity"] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one row.

    prediction: output name -> value, or list of values; None for what is not a number.
    version:    id of the version that answered.
    position:   of the log: what was known.
    time:       the instant that the features were evaluated at, UTC.
    """

    prediction: Mapping[str, Any]
    version: str
    position: int
    time: datetime


@dataclass(frozen=True, slots=True)
class Features:
    """The features of one row, as they were known.

    values:   feature name -> value; None for null.
    position: of the log: what was known.
    time:     the instant that they were evaluated at, UTC.
    """

    values: Mapping[str, float | None]
    position: int
    time: datetime


@dataclass(frozen=True, slots=True)
class Version:
    """A version that the server has.

    name:    of its predictor.
    version: its id.
    state:   READY, UNAVAILABLE, LOADING or UNLOADING.
    reason:  why, if it is not ready; "" otherwise.
    """

    name: str
    version: str
    state: str
    reason: str = ""


class _Predictions(msgspec.Struct, frozen=True):
    predictions: list[dict[str, Any]]
    version: str
    position: int
    times: list[datetime]


class _Known(msgspec.Struct, frozen=True):
    features: dict[str, _Number]
    position: int
    time: datetime


class _KnownRows(msgspec.Struct, frozen=True):
    features: list[dict[str, _Number]]
    position: int
    times: list[datetime]


def answer_of(body: bytes, what: str) -> Answer:
    """The answer to one row. Raises FailedError."""
    return decoded(body, Answer, what)


def answers_of(body: bytes, what: str) -> list[Answer]:
    """The answers to several rows, in their order. Raises FailedError."""
    found = decoded(body, _Predictions, what)
    rows = zip(found.predictions, found.times, strict=True)
    return [Answer(prediction, found.version, found.position, time) for prediction, time in rows]


def features_of(body: bytes, what: str) -> Features:
    """The features of one row. Raises FailedError."""
    found = decoded(body, _Known, what)
    return Features(_numbers(found.features), found.position, found.time)


def features_of_rows(body: bytes, what: str) -> list[Features]:
    """The features of several rows, in their order. Raises FailedError."""
    found = decoded(body, _KnownRows, what)
    rows = zip(found.features, found.times, strict=True)
    return [Features(_numbers(values), found.position, time) for values, time in rows]


def _numbers(values: Mapping[str, _Number]) -> Mapping[str, float | None]:
    """What JSON has no number for comes as text."""
    return {name: float(value) if isinstance(value, str) else value for name, value in values.items()}


def decoded(body: bytes, kind: type[T], what: str) -> T:
    """An answer of a kind. Fields that are not known are left out, so that a newer server can say more.

    Raises FailedError for what is none.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FailedError(
            f"{what}: not an answer of unisono's server ({one_line(error)}); allowed: its JSON; check the address, and "
            "what is between"
        ) from error
