"""The gate: every request that is not about the server's health passes it before anything is done for it."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter, time

from unisono.drivers.serving.exchange import Request
from unisono.drivers.serving.refusals import RefusalError
from unisono.drivers.serving.security.rates import Rates
from unisono.drivers.serving.security.tokens import Action, Grant, Grants, Token

_SCHEME = b"Bearer "
_NONE: frozenset[str] = frozenset()


class Gate:
    """Lets requests in by their tokens.

    tokens: of the server; None: it has none, and lets all in. An empty list lets nobody in.
    rates:  that the workers share.

    A header that was found right once is found again by a dictionary, which saves its hash. That is as safe: a wrong
    header is never put in, so that nobody can fill it; it holds one header a token; and to get as far as comparing
    bytes, a guess needs the 64 bits of the right header's SipHash, whose key is drawn anew by each process.
    """

    def __init__(self, tokens: Sequence[Token] | None, rates: Rates | None = None) -> None:
        self._rates = rates or Rates()
        self.replace(tokens)

    def replace(self, tokens: Sequence[Token] | None) -> None:
        """Other tokens, from the next request on: what is revoked is refused at once."""
        self._grants = None if tokens is None else Grants(tokens)
        self._known: dict[bytes, Grant] = {}

    @property
    def is_open(self) -> bool:
        """Whether it lets all in."""
        return self._grants is None

    def admit(self, request: Request, action: Action, model: str | None) -> None:
        """Let a request in that does something with a model, or with no one model: metrics, lists, settings.

        Settings want a token for every model. Costs about half a microsecond. Raises RefusalError: unauthorized,
        forbidden, rate_limited.
        """
        if self._grants is None:
            return
        header = request.headers.get(b"authorization", b"")
        grant = self._known.get(header) or self._verify(self._grants, header)
        if time() >= grant.expires_s:
            raise _expired(grant)
        models = grant.models.get(action, _NONE)
        if models is not None and model not in models and not _is_general(models, action, model):
            raise _forbidden(grant, action, model)
        if grant.interval_s:
            wait_s = self._rates.take(grant.place, grant.interval_s, grant.burst_s, perf_counter())
            if wait_s:
                raise _too_many(grant, wait_s)

    def _verify(self, grants: Grants, header: bytes) -> Grant:
        scheme, text = header[: len(_SCHEME)], header[len(_SCHEME) :].strip()
        if scheme.lower() != _SCHEME.lower():
            seen = "no token" if not header else "an Authorization header of another scheme than Bearer"
            raise _unauthorized(seen)
        grant = grants.find(text)
        if grant is None:
            raise _unauthorized("a token that is unknown or was revoked")
        if header == _SCHEME + text:  # one way to write it, so that the dictionary holds one entry a token
            self._known[header] = grant
        return grant


def _is_general(models: frozenset[str], action: Action, model: str | None) -> bool:
    """Whether it is about no one model, and harms none."""
    return model is None and bool(models) and action != "admin"


def _unauthorized(seen: str) -> RefusalError:
    allowed = "the header `Authorization: Bearer uns_...` with a token of this server"
    return RefusalError("unauthorized", f"{seen}; allowed: {allowed}; ask for one, or make one: `unisono tokens new`")


def _expired(grant: Grant) -> RefusalError:
    allowed = "a token that has not expired"
    return RefusalError("unauthorized", f"the token {grant.name} has expired; allowed: {allowed}; ask for a new one")


def _forbidden(grant: Grant, action: Action, model: str | None) -> RefusalError:
    seen = f"the token {grant.name} does not allow {action} on {'the server' if model is None else model[:100]}"
    rights = "; ".join(f"{one} on {_names(models)}" for one, models in grant.models.items()) or "nothing"
    return RefusalError("forbidden", f"{seen}; allowed: {rights}; ask for a token that does")


def _names(models: frozenset[str] | None) -> str:
    return "every model" if models is None else ", ".join(sorted(models)) or "no model"


def _too_many(grant: Grant, wait_s: float) -> RefusalError:
    seen = f"more requests than the token {grant.name} may send"
    most = f"{1 / grant.interval_s:g} a second, {round(grant.burst_s / grant.interval_s)} at once"
    return RefusalError("rate_limited", f"{seen}; allowed: {most}; come again later", retry_after_s=wait_s)
