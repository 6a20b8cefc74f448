"""What the exit code of a command says."""

from __future__ import annotations

from collections.abc import Mapping

from unisono.spec.errors import (
    DefinitionError,
    InputError,
    ModelError,
    ParityError,
    StateError,
    StoreError,
    UnisonoError,
)

DONE = 0
DIFFERENT = 1
USAGE = 2
FAULT = 70
INTERRUPTED = 130

MEANINGS: Mapping[int, str] = {
    DONE: "done",
    DIFFERENT: "parity found bits that differ",
    USAGE: "wrong usage: an unknown command or option, a missing or ill-written value",
    DefinitionError.exit_code: "the definitions are wrong",
    InputError.exit_code: "a table, a request or a value does not fit",
    StateError.exit_code: "what is stored is corrupt, truncated or of another definition",
    StoreError.exit_code: "a file or a store is missing, locked by another process, or full",
    ModelError.exit_code: "the model cannot be imported, or its graph gives something else",
    FAULT: "a fault of unisono or of its installation; --debug shows where",
    INTERRUPTED: "interrupted (Ctrl-C); what is stored is whole, the same command goes on",
}
"""Every exit code and what it says."""

KINDS: Mapping[type[UnisonoError], str] = {
    DefinitionError: "definition",
    InputError: "input",
    StateError: "state",
    StoreError: "store",
    ModelError: "model",
    ParityError: "parity",
    UnisonoError: "fault",
}
"""What `--json` calls an error."""


def exit_code(error: UnisonoError) -> int:
    """The exit code of an error."""
    if isinstance(error, ParityError):  # bits that differ are a finding, however they are told
        return DIFFERENT
    return FAULT if error.exit_code == UnisonoError.exit_code else error.exit_code


def kind(error: UnisonoError) -> str:
    """What `--json` calls it."""
    return next(name for family, name in KINDS.items() if isinstance(error, family))
