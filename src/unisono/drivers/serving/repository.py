"""The versions that the protocol's repository lists, and how one is asked to load or to leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

State = Literal["READY", "LOADING", "UNAVAILABLE", "FAILED"]

Done = Callable[[Exception | None], None]
"""Told once, on the thread of the loop, what came of it: None if all went well."""


class Form(NamedTuple):
    """What a tensor looks like.

    name:     of the input or output.
    datatype: of the protocol, `FP64`.
    shape:    its sides; -1 where there may be any number.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelState:
    """One version of a predictor that is served.

    name:    the predictor's.
    version: id of the version.
    state:   READY if it is in memory; UNAVAILABLE without a reason: the next call loads it.
    reason:  why it does not answer.
    aliases: names of the version, such as champion.
    outputs: of its graph; empty while they are not known.
    """

    name: str
    version: str
    state: State
    reason: str = ""
    aliases: tuple[str, ...] = ()
    outputs: tuple[Form, ...] = ()

    @property
    def can_answer(self) -> bool:
        """Whether a call would be answered, be it after the version has been loaded for it."""
        return self.state == "READY" or (self.state == "UNAVAILABLE" and not self.reason)


class Repository(Protocol):
    """The versions of all predictors. On the thread of the loop."""

    def index(self) -> Sequence[ModelState]:
        """All versions that are served, those that answer a predictor's callers first."""
        ...

    def load(self, name: str, done: Done) -> None:
        """Load a predictor, or look again at once which version answers. `name` is known to be served."""
        ...

    def unload(self, name: str, done: Done) -> None:
        """Let a predictor's versions leave the memory; it refuses calls until it is loaded again."""
        ...
