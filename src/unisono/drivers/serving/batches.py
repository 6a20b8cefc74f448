"""The calls that run together, from what is known about them to an answer for each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import perf_counter

import msgspec
import numpy as np

from unisono.drivers.online.reading import Known
from unisono.drivers.scores import Matrix, Outputs, Row
from unisono.drivers.serving.calls import Answered, Call, Outcome
from unisono.drivers.serving.lane import Answers, late
from unisono.drivers.serving.pace import MOST_ROWS
from unisono.drivers.serving.refusals import RefusalError
from unisono.spec.errors import UnisonoError

_LOGGER = logging.getLogger(__name__)


def joined(each: Sequence[Known]) -> Known:
    """What is known about the rows of several calls, as if one had them; the position is the first one's."""
    rows = [row for one in each for row in one.rows]
    times = [time for one in each for time in one.times]
    return Known(rows, times, np.concatenate([one.features for one in each]), each[0].position)


class Batch(msgspec.Struct, eq=False):
    """Calls that run together.

    answers: the version that answers.
    asked:   all calls.
    shadow:  whether they are copies, whose answers nobody gets.
    calls:   those about whose rows all is known, and known: that, call by call; together: of all, if at hand.
    refused: the others, and why.
    outputs: of all rows, one after the other; None if the rows cannot be answered together.
    alone:   then: what came of each call by itself.
    is_stopped: whether its model was made to stop, since it hung on the loop.
    size:    how many rows the model was asked.
    model_s: what the model took.
    """

    answers: Answers
    asked: list[Call]
    shadow: bool = False
    calls: list[Call] = []
    known: list[Known] = []
    together: Known | None = None
    refused: list[tuple[Call, Exception]] = []
    outputs: Outputs | None = None
    alone: list[Outputs | Exception] = []
    is_stopped: bool = False
    size: int = 0
    model_s: float = 0.0

    @property
    def has_run(self) -> bool:
        """Whether all rows were answered together."""
        return self.outputs is not None

    @property
    def whole(self) -> Known:
        """What is known about all rows, as if one call had them."""
        if self.together is not None:
            return self.together
        return self.known[0] if len(self.known) == 1 else joined(self.known)

    def look_up(self, *, aside: bool = False) -> None:
        """Learn what is known about each call's rows. On the thread of the loop, or else `aside`."""
        began_s = perf_counter()
        if aside or len(self.asked) == 1 or not self._look_up_together():
            self._look_up_each(aside=aside)
        each_s = (perf_counter() - began_s) / len(self.asked)
        for call in self.calls:
            call.spent_s[2] = each_s

    def _look_up_together(self) -> bool:
        """Returns False if the calls have to be looked up one by one: some bring what is known, or cannot be."""
        for call in self.asked:
            if call.known is not None or call.features is not None:
                return False
        try:
            self.together, self.known = self.answers.look_up_together(self.asked)
        except Exception:  # of one of them: which, and why, is found one by one
            return False
        self.calls = self.asked
        return True

    def _look_up_each(self, *, aside: bool) -> None:
        for call in self.asked:
            try:
                self.known.append(call.known or self.answers.look_up(call, aside=aside))
                self.calls.append(call)
            except Exception as error:
                self.refused.append((call, error))

    def run(self) -> None:
        """Ask the model, on any thread. One call's rows that it fails on do not cost the others their answers.

        If it was made to stop there are no outputs, and it may be run again elsewhere.
        """
        if not self.calls:
            return
        self.is_stopped = False
        began_s = perf_counter()
        try:
            whole = self.whole
            self.size = len(whole.rows)
            self.outputs = self._score(whole.rows, whole.features)
        except Exception as error:
            if not self.is_stopped:
                self.alone = [error] if len(self.calls) == 1 else self._each_alone(error)
        self.model_s = perf_counter() - began_s

    def _each_alone(self, error: Exception) -> list[Outputs | Exception]:
        """What comes of each call by itself; of one that is over, the error: it may be what the model hung on."""
        pairs = zip(self.calls, self.known, strict=True)
        return [error if call.is_over else self._alone(known) for call, known in pairs]

    def _alone(self, known: Known) -> Outputs | Exception:
        try:
            return self._score(known.rows, known.features)
        except Exception as error:
            return error

    def _score(self, rows: Sequence[Row], features: Matrix) -> Outputs:
        if len(rows) <= MOST_ROWS:
            return self.answers.score(rows, features)
        parts = [self._part(rows, features, start) for start in range(0, len(rows), MOST_ROWS)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _part(self, rows: Sequence[Row], features: Matrix, start: int) -> Outputs:
        """Some of very many rows, as long as somebody waits for them."""
        now = perf_counter()
        if all(call.is_over or now > call.deadline_s for call in self.calls):
            raise late()
        end = start + MOST_ROWS
        return self.answers.score(rows[start:end], features[start:end])

    def give(self) -> None:
        """Tell every call what came of its rows. On the thread of the loop."""
        for call, error in self.refused:
            call.answer(error)
        model_s = self.model_s
        try:
            outcomes = self._outcomes()
        except Exception as error:  # what the model gave is no output
            self.outputs, self.alone = None, [error] * len(self.calls)
            outcomes = self._outcomes()
        for call, outcome in zip(self.calls, outcomes, strict=True):
            call.spent_s[3] = model_s
            call.answer(outcome)
        if self.refused or self.alone:
            self._report()

    def _outcomes(self) -> Sequence[Outcome]:
        version = self.answers.id
        if self.outputs is None:
            return [
                one if isinstance(one, Exception) else Answered(one, version, known.position, known.times)
                for one, known in zip(self.alone, self.known, strict=True)
            ]
        if len(self.known) == 1:
            known = self.known[0]
            return [Answered(self.outputs, version, known.position, known.times)]
        start = 0
        outputs = tuple(self.outputs.items())
        outcomes: list[Outcome] = []
        for known in self.known:
            end = start + len(known.times)
            cut = {name: values[start:end] for name, values in outputs}
            outcomes.append(Answered(cut, version, known.position, known.times))
            start = end
        return outcomes

    def _report(self) -> None:
        """What is not the callers' fault is for the server's log, with the first one's traceback."""
        errors = [*(error for _, error in self.refused), *(one for one in self.alone if isinstance(one, Exception))]
        ours = [error for error in errors if not isinstance(error, UnisonoError | RefusalError)]
        if ours:
            name, count = self.asked[0].predictor, len(self.asked)
            _LOGGER.error("%s: %d of %d requests failed", name, len(ours), count, exc_info=ours[0])
