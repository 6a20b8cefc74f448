"""One caller's rows on their way to an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from unisono.drivers.scores import Matrix, Outputs, Row

STAGES = ("decode", "queue", "features", "model", "encode")
"""What a request's time is spent on, in order."""


@dataclass(slots=True, frozen=True)
class Answered:
    """What a call is answered.

    outputs:  output name -> array with one value, or one array of values, a row.
    version:  id of the version that answered.
    position: of the log: what was known.
    times:    microseconds since 1970, UTC, a row: the instants they were evaluated at.
    """

    outputs: Outputs
    version: str
    position: int
    times: Sequence[int]


Outcome = Answered | Exception


@dataclass(slots=True, eq=False)
class Call:
    """Some rows of one caller for one predictor.

    predictor:  whose.
    rows:       the requests, as `RequestDecoder` gives them.
    done:       called once, on the thread of the loop, with what came of it; not if the call was cancelled.
    version:    id of the version, or the alias, that the caller wants; None: whichever answers.
    features:   the features, if the caller brings them: float64, rows x features, null by its payload.
    deadline_s: after this instant nobody wants the answer, by `time.perf_counter`.
    arrived_s:  when the request was there, by the same clock; queued_s: when it was decoded and waits.
    request_id: the caller's own name for it; "" for none.
    cancelled:  whether nobody waits any more.
    spent_s:    seconds of each stage, in the order of STAGES; what was not yet is 0.
    """

    predictor: str
    rows: Sequence[Row]
    done: Callable[[Outcome], None]
    version: str | None = None
    features: Matrix | None = None
    deadline_s: float = float("inf")
    arrived_s: float = 0.0
    queued_s: float = 0.0
    request_id: str = ""
    cancelled: bool = False
    spent_s: list[float] = field(default_factory=lambda: [0.0] * len(STAGES))

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        self.cancelled = True
