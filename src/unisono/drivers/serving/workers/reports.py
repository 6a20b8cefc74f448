"""What the keeper says of itself, for whoever watches the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    kind:    in one word, for machines: "worker_ended".
    message: the same for people, on one line.
    level:   "info" is as it should be; "warning" wants a look; "error" costs answers.
    fields:  what it is about.
    """

    kind: str
    message: str
    level: Level = "info"
    fields: Mapping[str, object] = field(default_factory=dict)


Report = Callable[[Event], None]


def no_report(event: Event) -> None:
    """Tells nobody."""
