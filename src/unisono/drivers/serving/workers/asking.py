"""What a worker's callers want of the keeper."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Protocol

from unisono.drivers.serving.refusals import RefusalError
from unisono.drivers.serving.workers.messages import Ask, Done, What

Told = Callable[[Exception | None, bytes], None]
"""Takes why it was not done, or None and what was asked for, as JSON."""


class Asks(Protocol):
    """Asks the keeper. On the thread of the loop."""

    def ask(self, what: What, predictor: str, told: Told) -> None:
        """Ask; `told` is called once with the answer."""
        ...


class Asking:
    """Questions that wait for the keeper's answers.

    send: sends a question.

    For the thread of the loop.
    """

    def __init__(self, send: Callable[[Ask], None]) -> None:
        self._send = send
        self._numbers = count(1)
        self._waiting: dict[int, Told] = {}

    def ask(self, what: What, predictor: str, told: Told) -> None:
        """Ask; `told` is called once with the answer."""
        number = next(self._numbers)
        self._waiting[number] = told
        self._send(Ask(number, what, predictor))

    def answered(self, done: Done) -> None:
        """The keeper has answered."""
        told = self._waiting.pop(done.number, None)
        if told is not None:
            told(RefusalError("not_done", done.error) if done.error else None, done.answer)

    def give_up(self) -> None:
        """The keeper is gone."""
        waiting, self._waiting = self._waiting, {}
        for told in waiting.values():
            told(RefusalError("stopping", "the server is stopping; ask another", retry_after_s=1.0), b"")
