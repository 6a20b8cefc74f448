"""What a command ends with: one result, told to people or to machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unisono.cli.exit_codes import DONE


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a command.

    data:      what `--json` prints: names and plain values.
    text:      the same for people; without it nothing is printed.
    exit_code: one of exit_codes.MEANINGS.
    """

    data: Mapping[str, object]
    text: str
    exit_code: int = DONE
