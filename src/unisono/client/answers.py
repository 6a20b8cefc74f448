"""What a server answers, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from unisono.client.errors import FailedError
from unisono.spec.wording import one_line

T = TypeVar("T")


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


class Predictions(msgspec.Struct, frozen=True):
    """What the wire says of several rows."""

    predictions: list[dict[str, Any]]
    version: str
    position: int
    times: list[datetime]

    def answers(self) -> list[Answer]:
        """One a row."""
        return [
            Answer(prediction, self.version, self.position, time)
            for prediction, time in zip(self.predictions, self.times, strict=True)
        ]


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
