"""How a driver learns which version of a predictor answers, without importing the store that knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a predictor.

    predictor: its name.
    id:        content id of the version, 32 hexadecimal digits.
    artifact:  path or URL of its artifact.
    """

    predictor: str
    id: str
    artifact: str


class ActiveVersions(Protocol):
    """Says which version of each predictor answers; `store` implements it, `update` writes it.

    A version never changes, so what was loaded for one may be kept under its id; only which one answers changes, and
    `active` is cheap enough to be asked again every second.
    """

    def active(self, predictor: str) -> Version:
        """The version that answers now. Raises StoreError if the predictor has none, or the store cannot be reached."""
        ...
