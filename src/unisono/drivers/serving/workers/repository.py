"""The versions that a worker has, for the protocols; what changes them is the keeper's to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from unisono.drivers.serving.repository import Done, ModelState
from unisono.drivers.serving.workers.asking import Asks
from unisono.drivers.serving.workers.messages import What


class HasStates(Protocol):
    """Knows its versions; see `versions.changing.ChangingCatalogue`."""

    def states(self) -> Sequence[ModelState]:
        """Of all versions, predictor by predictor, champions first."""
        ...


class AskedRepository:
    """A worker's versions; see `repository.Repository`. Loading and unloading holds for every worker.

    catalogue: what is served.
    keeper:    is asked to load and unload.
    """

    def __init__(self, catalogue: HasStates, keeper: Asks) -> None:
        self._catalogue = catalogue
        self._keeper = keeper

    def index(self) -> Sequence[ModelState]:
        """All versions that are served, those that answer a predictor's callers first."""
        return self._catalogue.states()

    def load(self, name: str, done: Done) -> None:
        """Load a predictor, or look again at once which version answers."""
        self._ask("load", name, done)

    def unload(self, name: str, done: Done) -> None:
        """Let a predictor's versions leave the memory; it refuses calls until it is loaded again."""
        self._ask("unload", name, done)

    def _ask(self, what: What, name: str, done: Done) -> None:
        self._keeper.ask(what, name, lambda error, answer: done(error))
