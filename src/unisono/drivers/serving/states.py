"""Feature states as they are served: whatever becomes of the store, the server goes on, and says how it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic

from unisono.spec.errors import StoreError, UnisonoError
from unisono.store.states import NEW, Commit, Snapshot, StateStore, ViewIdentity

LOOK_S = 1.0
"""How often it is looked whether the store is still the one that is open."""


class LiveStates:
    """The states that a stream keeps. A store that is removed, or replaced by another, is noticed within a second.

    directory: of the store.
    views:     name -> identity; a store folded with any other is refused.
    clock:     seconds.

    Threads may share it.
    """

    def __init__(
        self, directory: Path, views: Mapping[str, ViewIdentity], *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._file = directory / "data.mdb"
        self._views = views
        self._clock = clock
        self._store: StateStore | None = None
        self._opened: tuple[int, int] | None = None
        self._fault: UnisonoError | None = None
        self._look_again_s = clock()
        self._looking = threading.Lock()
        self._directory = directory

    def snapshot(self) -> Snapshot:
        """The states as they are now. Raises StoreError or StateError while there are none that can be read."""
        if self._clock() >= self._look_again_s:
            self._look()
        store = self._store
        if store is None:
            raise self._why()
        return store.snapshot()

    @property
    def last(self) -> Commit:
        """The last commit. Raises what `snapshot` does."""
        with self.snapshot() as snapshot:
            return snapshot.commit

    def _why(self) -> UnisonoError:
        fault = self._fault or StoreError(f"{self._directory}: not opened yet; ask again")
        return type(fault)(str(fault))  # a new one: a raised error keeps its traceback

    def _look(self) -> None:
        with self._looking:
            if self._clock() < self._look_again_s:
                return  # another thread has just done so
            seen = self._identity()
            if self._store is None or seen != self._opened:
                self._open(seen)
            self._look_again_s = self._clock() + LOOK_S

    def _open(self, seen: tuple[int, int] | None) -> None:
        # The store before is not closed but forgotten: who still reads a snapshot of it holds it open.
        self._store = None
        try:
            self._store, self._opened, self._fault = StateStore(self._directory, self._views), seen, None
        except UnisonoError as fault:
            self._fault = fault

    def _identity(self) -> tuple[int, int] | None:
        """What tells one file from another that has its name later."""
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


class NoStates:
    """What a predictor without features has: nothing is ever known, and nothing has to be there."""

    def snapshot(self) -> Snapshot:
        """Nothing, at position 0."""
        return _NOTHING

    @property
    def last(self) -> Commit:
        """Before the first commit."""
        return NEW


class _Nothing(Snapshot):
    def __init__(self) -> None:
        pass

    @property
    def commit(self) -> Commit:
        return NEW

    def state(self, view: str, key: bytes) -> None:
        return None

    def __exit__(self, *error: object) -> None:
        pass


_NOTHING = _Nothing()

ServedStates = LiveStates | NoStates


def states_of(directory: Path, views: Mapping[str, ViewIdentity]) -> ServedStates:
    """The states of a predictor with these views."""
    return LiveStates(directory, views) if views else NoStates()
