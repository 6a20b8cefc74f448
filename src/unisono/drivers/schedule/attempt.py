"""One attempt at a run, in a thread of its own, which can be asked to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from unisono.spec.progress import Progress
from unisono.store.runs import Outcome, Run

Work = Callable[[Run, Progress], Outcome]
"""Does a run; reports how far it is, which raises Stopped once it has been asked to stop."""


class Stopped(Exception):  # noqa: N818 (being asked is no error)
    """An attempt has been asked to stop; what it has done is kept."""


@dataclass(slots=True)
class Attempt:
    """A run that is being worked on.

    run:     as it was claimed, and as it was last renewed.
    work:    does it.
    is_lost: whether somebody else holds the run by now, so that nothing is written down of it.
    """

    run: Run
    work: Work
    is_lost: bool = False
    outcome: Outcome | None = None
    error: BaseException | None = None
    _asked: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Start working; whoever is waiting can end the process at any time."""
        threading.Thread(target=self._work, name=self.run.id, daemon=True).start()

    def stop(self) -> None:
        """Ask it to end at its next report."""
        self._asked.set()

    @property
    def is_ended(self) -> bool:
        """Whether it has an outcome or an error."""
        return self._ended.is_set()

    def wait(self, seconds: float | None) -> bool:
        """Wait for its end; returns whether it has come."""
        return self._ended.wait(seconds)

    def _work(self) -> None:
        try:
            self.outcome = self.work(self.run, self._report)
        except BaseException as error:
            self.error = error
        finally:
            self._ended.set()

    def _report(self, what: str, done: int, total: int | None) -> None:
        if self._asked.is_set():
            raise Stopped
