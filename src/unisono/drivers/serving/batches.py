"""The calls that run together, from what is known about them to an answer for each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from unisono.drivers.online.reading import Known
from unisono.drivers.scores import Matrix, Outputs, Row
from unisono.drivers.serving.calls import Answered, Call, Outcome
from unisono.spec.errors import UnisonoError

if TYPE_CHECKING:
    from unisono.drivers.serving.lanes import Answers

_LOGGER = logging.getLogger(__name__)


@dataclass(slots=True)
class Batch:
    """Calls that run together.

    answers: the version that answers.
    calls:   whose rows they are, and known: what is known about each call's rows.
    outputs: of all rows, one after the other; None if the rows cannot be answered together.
    alone:   then: what came of each call by itself.
    model_s: what the model took.
    shadow:  whether nobody gets these answers: another version has answered.
    """

    answers: Answers
    calls: list[Call]
    known: list[Known]
    outputs: Outputs | None = None
    alone: list[Outputs | Exception] = field(default_factory=list)
    model_s: float = 0.0
    shadow: bool = False

    @property
    def has_run(self) -> bool:
        """Whether all rows were answered together."""
        return self.outputs is not None

    @property
    def rows(self) -> Sequence[Row]:
        """All rows."""
        if len(self.known) == 1:
            return self.known[0].rows
        return [row for one in self.known for row in one.rows]

    @property
    def features(self) -> Matrix:
        """Of all rows."""
        return self.known[0].features if len(self.known) == 1 else np.concatenate([one.features for one in self.known])

    def run(self) -> None:
        """Ask the model, on any thread. One call's rows that it fails on do not cost the others their answers."""
        began = perf_counter()
        try:
            self.outputs = self.answers.score(self.rows, self.features)
        except Exception as error:
            self.alone = [error] if len(self.calls) == 1 else [self._alone(one) for one in self.known]
        self.model_s = perf_counter() - began

    def _alone(self, known: Known) -> Outputs | Exception:
        try:
            return self.answers.score(known.rows, known.features)
        except Exception as error:
            return error


def known_of(answers: Answers, calls: Sequence[Call], now: float) -> Batch:
    """A batch of those calls about which all is known; the others are told why not."""
    batch = Batch(answers, [], [])
    for call in calls:
        try:
            batch.known.append(answers.look_up(call))
            batch.calls.append(call)
        except Exception as error:
            _report(call, error)
            call.done(error)
    spent_s = (perf_counter() - now) / max(len(calls), 1)
    for call in batch.calls:
        call.spent_s[2] = spent_s
    return batch


def answer_each(batch: Batch) -> None:
    """Give every call what came of its rows; run the batch first, if it has not been."""
    if not batch.has_run and not batch.alone:
        batch.run()
    for call, outcome in zip(batch.calls, _outcomes(batch), strict=True):
        call.spent_s[3] = batch.model_s
        if call.cancelled:
            continue
        if isinstance(outcome, Exception):
            _report(call, outcome)
        call.done(outcome)


def _outcomes(batch: Batch) -> list[Outcome]:
    version = batch.answers.id
    if batch.outputs is None:
        return [
            one if isinstance(one, Exception) else Answered(one, version, known.position, known.times)
            for one, known in zip(batch.alone, batch.known, strict=True)
        ]
    if len(batch.known) == 1:
        known = batch.known[0]
        return [Answered(batch.outputs, version, known.position, known.times)]
    start = 0
    outcomes: list[Outcome] = []
    for known in batch.known:
        end = start + len(known.times)
        cut = {name: values[start:end] for name, values in batch.outputs.items()}
        outcomes.append(Answered(cut, version, known.position, known.times))
        start = end
    return outcomes


def _report(call: Call, error: Exception) -> None:
    """What is not the caller's fault is for the server's log, with its traceback."""
    if not isinstance(error, UnisonoError):
        _LOGGER.error("%s: request failed", call.predictor, exc_info=error)
