"""When a call is sent again: what may help, how long to wait, and how much of it there may be at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import random

from unisono.client.errors import BusyError, CallError, UnreachableError

FIRST_S, LONGEST_S = 0.05, 2.0
"""Of pauses, where the server does not say how long."""


class Budget:
    """How often a client may send again: a share of its calls, and a few more at the start.

    share:   of calls that may be sent again: 0.1 adds at most a tenth to the load of a server in trouble.
    reserve: sent again at most before there have been calls, and at most saved up.
    """

    def __init__(self, share: float = 0.1, reserve: float = 10.0) -> None:
        self._share = share
        self._reserve = reserve
        self._left = reserve

    def earn(self) -> None:
        """A call is made."""
        self._left = min(self._left + self._share, self._reserve)

    def spend(self) -> bool:
        """Whether one may be sent again."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait before the next try.

    chance: gives a number from 0 to 1: callers that failed together must not come again together.
    """

    chance: Callable[[], float] = random

    def pause_s(self, error: CallError, tries: int) -> float | None:
        """Seconds until the next try; None if none would help.

        tries: how many have failed.
        """
        if isinstance(error, BusyError) and error.retry_after_s is not None:
            return error.retry_after_s * (1 + 0.25 * self.chance())  # never earlier than asked
        if isinstance(error, BusyError) or (isinstance(error, UnreachableError) and error.may_repeat):
            return float(min(LONGEST_S, FIRST_S * 2.0 ** (tries - 1)) * self.chance())
        return None
