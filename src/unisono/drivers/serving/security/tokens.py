"""Bearer tokens. What is kept of one does not tell its secret.

A token is `uns_ID_SECRET`: 16 hexadecimal digits to find it by, and 256 random bits. Since nobody can guess these, one
SHA-256 keeps them; the slow hashes are for passwords, which people choose.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

Action = Literal["read", "predict", "admin"]
ACTIONS: tuple[Action, ...] = ("read", "predict", "admin")
"""What a token can allow: metadata and metrics; predictions and features; loading, unloading and settings."""

EVERY_MODEL = "*"
MOST_TOKENS = 4096
"""Of a server."""

_PREFIX = "uns"
_Model = Annotated[str, Meta(pattern=r"^(\*|[A-Za-z](_?[A-Za-z0-9])*_?)$", max_length=100)]
_Rate = Annotated[float, Meta(gt=0, le=1e6)]


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is kept of a token.

    id:      16 hexadecimal digits, the token's own second part.
    name:    whose it is, for people.
    sha256:  of the whole token, in hexadecimal digits.
    actions: what it allows.
    models:  names of the predictors that it allows this for; `*`: all.
    rate:    requests a second; None: as many as come.
    burst:   requests at once; without a rate it says nothing.
    place:   of its count among those that the workers share.
    made:    when it was made.
    expires: from when on it is refused; None: never.
    """

    id: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    name: Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$")]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    actions: tuple[Action, ...]
    models: tuple[_Model, ...]
    rate: _Rate | None = None
    burst: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    place: Annotated[int, Meta(ge=0, lt=MOST_TOKENS)]
    made: Annotated[datetime, Meta(tz=True)]
    expires: Annotated[datetime, Meta(tz=True)] | None = None


class Fresh(NamedTuple):
    """A new token.

    id:     its second part.
    text:   all of it, with the secret: to be shown once, and kept by whoever asks.
    sha256: of the text, in hexadecimal digits: to be kept by the server.
    """

    id: str
    text: str
    sha256: str


def draw() -> Fresh:
    """A token that nobody can guess."""
    id = secrets.token_hex(8)
    text = f"{_PREFIX}_{id}_{secrets.token_urlsafe(32)}"
    return Fresh(id, text, sha256(text.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows, as the gate reads it.

    name:       whose it is.
    digest:     SHA-256 of the whole token.
    models:     action -> the predictors that it is allowed for; None: all.
    interval_s: between two requests at its rate; 0: no limit.
    burst_s:    what the requests at once take at its rate.
    place:      of its count in `Rates`.
    expires_s:  seconds since 1970, UTC.
    """

    name: str
    digest: bytes
    models: Mapping[str, frozenset[str] | None]
    interval_s: float
    burst_s: float
    place: int
    expires_s: float


class Grants:
    """All tokens of a server.

    tokens: as they are kept.
    """

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._by_id = {token.id: _grant(token) for token in tokens}
        self._nobody = secrets.token_bytes(32)

    def find(self, text: bytes) -> Grant | None:
        """The grant of a token, whole; None if there is no such token.

        Hashes and compares whatever the id is, and compares in constant time: how long it takes tells nothing of a
        secret, nor whether there is an id.
        """
        grant = self._by_id.get(_id_of(text))
        digest = sha256(text).digest()
        return grant if hmac.compare_digest(digest, grant.digest if grant else self._nobody) else None


def _id_of(text: bytes) -> str:
    parts = text.split(b"_", 2)
    return parts[1].decode("latin-1") if len(parts) == 3 else ""


def _grant(token: Token) -> Grant:
    models = None if EVERY_MODEL in token.models else frozenset(token.models)
    interval_s = 1 / token.rate if token.rate else 0.0
    return Grant(
        name=token.name,
        digest=bytes.fromhex(token.sha256),
        models=dict.fromkeys(token.actions, models),
        interval_s=interval_s,
        burst_s=token.burst * interval_s,
        place=token.place,
        expires_s=token.expires.timestamp() if token.expires else float("inf"),
    )
