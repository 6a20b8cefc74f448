"""What a registry knows, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from unisono.spec.active import Version

What = Literal["added", "signed", "aliased", "unaliased", "tagged", "untagged", "retired", "unretired"]

CHAMPION, CHALLENGER = "champion", "challenger"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a predictor, as its history has it.

    predictor: whose.
    number:    1, 2, 3, ... in the order in which they were made, without a gap.
    at:        microseconds since 1970 UTC, by the clock of whoever made it.
    by, why:   who made it, and for what reason ("" if none was given).
    what:      the kind of change.
    version:   id of the version that it is about.
    alias:     which, if an alias was given or taken.
    before, after: from what to what: ids of versions for an alias; a tag, a signer's fingerprint, live or retired.
    """

    predictor: str
    number: int
    at: int
    by: str
    why: str
    what: What
    version: str
    alias: str | None
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class VersionEntry:
    """One version, as the registry lists it.

    version:  which.
    added_at: microseconds since 1970 UTC.
    bytes:    of its artifact.
    retired:  whether it may no longer be given an alias.
    aliases, tags: in order.
    signers:  fingerprints of the keys that signed its artifact.
    """

    version: Version
    added_at: int
    bytes: int
    retired: bool
    aliases: tuple[str, ...]
    tags: tuple[str, ...]
    signers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PredictorEntry:
    """One predictor, as the registry lists it.

    name:       of the predictor.
    aliases:    alias -> id of the version that has it.
    versions:   how many there are, the retired ones too.
    tags:       of any of its versions, in order.
    changed_at: when its last change was made: microseconds since 1970 UTC.
    """

    name: str
    aliases: Mapping[str, str]
    versions: int
    tags: tuple[str, ...]
    changed_at: int

    @property
    def champion(self) -> str | None:
        """Id of the version that answers, if one does."""
        return self.aliases.get(CHAMPION)
