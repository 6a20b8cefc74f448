"""One caller's rows on their way to an answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import msgspec

from unisono.drivers.online.reading import Known
from unisono.drivers.scores import Matrix, Outputs, Row

_LOGGER = logging.getLogger(__name__)

STAGES = ("decode", "queue", "features", "model", "encode")
"""What a request's time is spent on, in order."""


class Answered(msgspec.Struct, frozen=True, gc=False):
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


class Call(msgspec.Struct, eq=False):  # made in half of a dataclass's time
    """Some rows of one caller for one predictor.

    predictor:  whose.
    rows:       the requests, as `RequestDecoder` gives them; at least one.
    done:       called once, on the thread of the loop, with what came of it; not if the call was cancelled.
    version:    id of the version, or the alias, that the caller wants; None: whichever answers.
    features:   the features, if the caller brings them: float64, rows x features, null by its payload.
    known:      what is known about the rows, if that has been looked up: a copy for a shadow has it.
    deadline_s: after this instant nobody wants the answer, by `time.perf_counter`.
    arrived_s:  when the request was there, by the same clock; queued_s: when it was decoded and waits.
    request_id: the caller's own name for it; "" for none.
    is_over:    whether nobody waits any more: it is answered, or cancelled.
    spent_s:    seconds of each stage, in the order of STAGES; what was not yet is 0.
    """

    predictor: str
    rows: Sequence[Row]
    done: Callable[[Outcome], None]
    version: str | None = None
    features: Matrix | None = None
    known: Known | None = None
    deadline_s: float = float("inf")
    arrived_s: float = 0.0
    queued_s: float = 0.0
    request_id: str = ""
    is_over: bool = False
    spent_s: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(STAGES))

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        self.is_over = True
        self.done = _nobody

    def answer(self, outcome: Outcome) -> None:
        """Tell the caller what came of it, if that is still wanted and was not done before.

        On the thread of the loop. A caller that fails on its answer is no reason for the others to get none.
        """
        if self.is_over:
            return
        self.is_over = True
        done, self.done = self.done, _nobody  # it holds the call: a circle that only the collector would find
        try:
            done(outcome)
        except Exception:
            _LOGGER.exception("%s: an answer could not be given", self.predictor)


def _nobody(outcome: Outcome) -> None:
    """Who is told when nobody waits."""
