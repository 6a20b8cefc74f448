"""Everything unisono raises on purpose.

    UnisonoError                exit code 70
      x DefinitionError         3   a spec is wrong: all of its faults, one line each
      x InputError              4   a frame, request or value does not fit its spec
      x StateError              5   a state or artifact is corrupt, truncated, stale or of another plan
      x StoreError              6   a store is locked by another writer, full or missing
      x ModelError              7   a model could not be imported or does not verify
      x ParityError             1   two drivers gave different bits

The number is the exit code of the command line (2 is left to wrong usage, as shells have it).
A message says what was seen, what was allowed, where, and the next step.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class UnisonoError(Exception):
    """The root: `except UnisonoError` catches whatever unisono raises on purpose."""

    exit_code: ClassVar[int] = 70


class DefinitionError(UnisonoError):
    """A spec is wrong.

    problems: the faults, one line each, with the place of each; a single string is one fault.

    >>> print(DefinitionError(["view a: key: ...", "view a: windows[0]: ..."]))
    view a: key: ...
    view a: windows[0]: ...
    """

    exit_code = 3

    def __init__(self, problems: Iterable[str] | str) -> None:
        lines = (problems,) if isinstance(problems, str) else tuple(problems)
        self.problems: tuple[str, ...] = tuple(dict.fromkeys(lines))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class InputError(UnisonoError):
    """A frame, a request or a value does not fit: says the column, the row, what was seen and what was allowed."""

    exit_code = 4


class StateError(UnisonoError):
    """Stored bytes cannot be used: corrupt, truncated, stale, or made for another plan."""

    exit_code = 5


class StoreError(UnisonoError):
    """A store cannot be used: locked by another writer, out of space, or missing."""

    exit_code = 6


class ModelError(UnisonoError):
    """A model cannot be imported, or its graph does not give what the model gives."""

    exit_code = 7


class ParityError(UnisonoError):
    """Two drivers gave different bits for one definition and one log."""

    exit_code = 1
