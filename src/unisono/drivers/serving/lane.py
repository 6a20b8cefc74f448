"""The calls that wait for one version."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from unisono.drivers.online.reading import Known
from unisono.drivers.scores import Matrix, Outputs, Row
from unisono.drivers.serving.calls import Call, Outcome
from unisono.drivers.serving.pace import Pace
from unisono.drivers.serving.refusals import RefusalError

if TYPE_CHECKING:
    from unisono.drivers.serving.runs import Run

COPIED_ROWS = 256
"""Most rows that wait for a version as a shadow; more are dropped."""

_BATCH_OF_COPIES = 16


class Answers(Protocol):
    """A version that is loaded; see `versions.loaded.LoadedVersion`."""

    @property
    def id(self) -> str:
        """Of the version."""
        ...

    def look_up(self, call: Call, *, aside: bool = False) -> Known:
        """What is known about the rows of a call. On the thread of the loop, or else `aside`. Raises UnisonoError."""
        ...

    def look_up_together(self, calls: Sequence[Call]) -> tuple[Known, list[Known]]:
        """What is known about all rows of several calls without features, and about each call's. Else the same."""
        ...

    def score(self, rows: Sequence[Row], features: Matrix) -> Outputs:
        """The outputs, one a row. On any thread; one call at a time."""
        ...

    def stop(self) -> None:
        """Let what runs now end as soon as it can, with an error. On any thread."""
        ...


class Lane:
    """The calls that wait for one version, and the copies of calls that it gets as a shadow.

    predictor: whose.
    answers:   the version; None while it is not loaded.
    pace:      how fast it is.
    shadows:   lanes of the versions that get a copy of what this one has answered.
    rows:      how many rows wait, but for copies; copy_rows: of copies.
    used_s:    when it was last asked something, by `time.perf_counter`.
    run:       what a thread works on.
    began_s:   when its last batch began, if somebody waited behind it, else 0; began_rows: how many rows that had.
    is_queued, is_queued_late: whether it is among those whose turn will come; late: for its copies only.
    """

    __slots__ = (
        "answers",
        "began_rows",
        "began_s",
        "copies",
        "copy_rows",
        "is_queued",
        "is_queued_late",
        "pace",
        "predictor",
        "rows",
        "run",
        "shadows",
        "used_s",
        "waiting",
    )

    def __init__(self, predictor: str, answers: Answers | None = None) -> None:
        self.predictor = predictor
        self.answers = answers
        self.pace = Pace()
        self.shadows: Sequence[Lane] = ()
        self.waiting: deque[Call] = deque()
        self.copies: deque[Call] = deque()
        self.rows = self.copy_rows = 0
        self.used_s = self.began_s = 0.0
        self.began_rows = 0
        self.run: Run | None = None
        self.is_queued = False
        self.is_queued_late = False

    @property
    def can_run(self) -> bool:
        """Whether its version is there and free."""
        return self.answers is not None and self.run is None

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self.waiting and not self.copies and self.run is None

    @property
    def is_stuck(self) -> bool:
        """Whether its version hangs."""
        return self.run is not None and self.run.is_given_up

    def add(self, call: Call) -> None:
        """Let a call wait."""
        self.waiting.append(call)
        self.rows += len(call.rows)

    def add_copy(self, known: Known) -> bool:
        """Let a copy of what was answered wait, whose answer nobody gets; returns False if too many do."""
        rows = len(known.rows)
        if self.copy_rows + rows > COPIED_ROWS or self.answers is None:
            return False
        self.copies.append(Call(self.predictor, known.rows, _nobody, known=known))
        self.copy_rows += rows
        return True

    def take(self, now: float) -> list[Call]:
        """The next calls, as many rows as a batch may have, and at least one call.

        Those that nobody waits for are forgotten; those that are too late are told so, and never run.
        """
        taken: list[Call] = []
        room = self.pace.cap
        waiting = self.waiting
        while waiting and (not taken or len(waiting[0].rows) <= room):
            call = waiting.popleft()
            rows = len(call.rows)
            self.rows -= rows
            if call.is_over:
                continue
            if now > call.deadline_s:
                call.answer(late())
                continue
            call.spent_s[1] = now - call.queued_s
            room -= rows
            taken.append(call)
        return taken

    def take_copies(self) -> list[Call]:
        """The next copies: few, so that a caller who comes meanwhile waits little."""
        taken: list[Call] = []
        room = min(self.pace.cap, _BATCH_OF_COPIES)
        while self.copies and (not taken or len(self.copies[0].rows) <= room):
            taken.append(self.copies.popleft())
            room -= len(taken[-1].rows)
            self.copy_rows -= len(taken[-1].rows)
        return taken

    def forget_late(self, now: float) -> None:
        """Tell those whose deadline has passed; forget them and those that nobody waits for."""
        if any(call.is_over or now > call.deadline_s for call in self.waiting):
            for call in self._empty():
                if now > call.deadline_s:
                    call.answer(late())
                elif not call.is_over:
                    self.add(call)

    def refuse_all(self, reason: Exception) -> None:
        """Tell all that wait why they get no answer; copies are forgotten."""
        self.copies.clear()
        self.copy_rows, self.began_s = 0, 0.0
        for call in self._empty():
            call.answer(reason)

    def _empty(self) -> Iterable[Call]:
        waiting, self.waiting, self.rows = self.waiting, deque(), 0
        return waiting


def _nobody(outcome: Outcome) -> None:
    """Whom a copy's answer goes to."""


def late() -> RefusalError:
    """The refusal of a call whose deadline has passed."""
    return RefusalError(
        "deadline_exceeded",
        "the deadline passed before there was an answer; allowed: an answer in time; allow more time, or come again",
        retry_after_s=1.0,
    )
