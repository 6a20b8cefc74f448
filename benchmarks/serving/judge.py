"""Looks at every answer: right, refused, wrong, or none at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import NamedTuple

import msgspec

from benchmarks.serving.callers import Seen, press


class _Prediction(msgspec.Struct):
    probability: float


class _Answer(msgspec.Struct):
    prediction: _Prediction
    version: str


_DECODER = msgspec.json.Decoder(_Answer)


class Timed(NamedTuple):
    """When something was answered, by `time.perf_counter`, and how long that took."""

    at_s: float
    took_s: float


@dataclass(slots=True)
class Judge:
    """What came of the requests.

    expected:    version -> the probability of each request.
    answered:    those that were right; wrong: how many were not.
    refused:     429 and 503; unexplained: how many of them do not say when to come again.
    failed:      any other status -> how many; 0: no answer.
    version:     that answered last.
    """

    expected: Mapping[str, Sequence[float]]
    answered: list[Timed] = field(default_factory=list)
    wrong: int = 0
    refused: list[Timed] = field(default_factory=list)
    unexplained: int = 0
    failed: Counter[int] = field(default_factory=Counter)
    version: str = ""

    def look(self, seen: Seen) -> None:
        """Take one in."""
        timed = Timed(seen.sent_s + seen.took_s, seen.took_s)
        if seen.status == 200:
            answer = _DECODER.decode(seen.body)
            self.version = answer.version
            self.answered.append(timed)
            self.wrong += self.expected[answer.version][seen.number] != answer.prediction.probability
        elif seen.is_refused:
            self.refused.append(timed)
            self.unexplained += not seen.retry_after
        else:
            self.failed[seen.status] += 1

    @property
    def rate(self) -> float:
        """Answers per second, from the first to the last."""
        times = [one.at_s for one in self.answered]
        return len(times) / (max(times) - min(times)) if len(times) > 1 else 0.0


def quantile_ms(timed: Sequence[Timed], share: float) -> float:
    """Of the time that answers took; 0 if there are none."""
    if not timed:
        return 0.0
    ordered = sorted(one.took_s for one in timed)
    return round(1e3 * ordered[min(int(share * len(ordered)), len(ordered) - 1)], 2)


@dataclass(slots=True)
class Pressing:
    """Load that goes on until it is told to stop, or for some seconds.

    port, requests, connections: see `callers.press`.
    """

    port: int
    requests: Sequence[bytes]
    connections: int
    is_over: bool = False

    async def until(self, judge: Judge, seconds: float = float("inf")) -> Judge:
        """Give the judge all answers, until so many seconds have passed or `is_over`."""
        end_s = perf_counter() + seconds
        places = len(self.requests)

        def numbers(place: int = 0) -> Iterator[int]:
            while not self.is_over and perf_counter() < end_s:
                yield place % places
                place += 1

        await press(self.port, self.requests, numbers(), judge.look, connections=self.connections)
        return judge
