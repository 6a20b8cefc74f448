"""Whether a worker can answer: the one truth behind all that asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from unisono.drivers.online.reading import States
from unisono.drivers.serving.refusals import RefusalError
from unisono.spec.errors import UnisonoError
from unisono.store.states import Commit


class Positioned(States, Protocol):
    """Knows how far it is; see `serving.states.LiveStates`."""

    @property
    def last(self) -> Commit:
        """The last commit. Raises what `snapshot` does."""
        ...


@dataclass(slots=True)
class Readiness:
    """How a worker is.

    versions: predictor -> why no version of it can answer; "" if one can. Of those that are to be served.
    states:   of every predictor.

    is_stopping: whether it goes on only with what it has.
    """

    versions: Callable[[], Mapping[str, str]]
    states: Mapping[str, Positioned]
    is_stopping: bool = field(default=False, init=False)

    def reasons(self) -> Mapping[str, str]:
        """Predictor -> why it cannot answer; "" if it can."""
        return {name: reason or self._of_states(name) for name, reason in self.versions().items()}

    def positions(self) -> Mapping[str, int]:
        """Predictor -> position of the log that its states are at; those whose states cannot be read are left out."""
        return {name: self.states[name].last.position for name in self.versions() if not self._of_states(name)}

    def check(self) -> None:
        """Raises RefusalError unless every predictor can answer, and will go on to."""
        if self.is_stopping:
            raise RefusalError("stopping", "the server is stopping; allowed: another server; ask that")
        reasons = [f"{name}: {reason}" for name, reason in self.reasons().items() if reason]
        if reasons:
            raise RefusalError("not_available", "; ".join(reasons), retry_after_s=1.0)

    def _of_states(self, name: str) -> str:
        try:
            with self.states[name].snapshot():
                return ""
        except UnisonoError as error:
            return str(error)
