"""Batches that a thread works on, because they take too long for the loop."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from unisono.drivers.serving.batches import Batch
from unisono.drivers.serving.lane import Lane, late
from unisono.drivers.serving.refusals import RefusalError


@dataclass(slots=True, eq=False)
class Run:
    """A batch that a thread works on.

    lane:        whose.
    batch:       what.
    expected_s:  how long it is expected to take.
    began_s:     when it began, by `time.perf_counter`.
    is_given_up: whether its callers are told that the model hangs.
    """

    lane: Lane
    batch: Batch
    expected_s: float
    began_s: float
    is_given_up: bool = False

    def work(self) -> None:
        """All of it but telling the callers. In the thread."""
        if not self.batch.known:
            self.batch.look_up(aside=True)
        self.batch.run()

    def left_s(self, now: float) -> float:
        """How long it is expected to go on."""
        return max(self.expected_s - (now - self.began_s), 0.0)

    def look(self, now: float, most_s: float) -> bool:
        """Tell those whose deadline has passed; returns whether it must be given up: it takes longer than `most_s`."""
        if self.is_given_up:
            return False
        for call in self.batch.asked:
            if now > call.deadline_s:
                call.answer(late())
        self.lane.forget_late(now)
        return now - self.began_s > most_s

    def give_up(self, most_s: float) -> None:
        """Tell its callers, and those behind them, that the model hangs, and ask it to stop."""
        self.is_given_up = True
        hung = RefusalError(
            "deadline_exceeded",
            f"{self.lane.predictor}: its model took longer than {most_s:g} s; allowed: less; send another request, or "
            "use another version",
        )
        for call in self.batch.asked:
            call.answer(hung)
        self.lane.refuse_all(hung)
        self.batch.answers.stop()


def run_of(lane: Lane, batch: Batch) -> Run:
    """A run that begins now."""
    rows = sum(len(call.rows) for call in batch.asked)
    return Run(lane, batch, lane.pace.seconds(rows), perf_counter())
