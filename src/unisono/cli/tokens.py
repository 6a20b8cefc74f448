"""`unisono tokens`: who may ask the server, for what, and how often."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from unisono.cli import prose
from unisono.cli.answer import Answer
from unisono.cli.options import COMMON_DEFAULTS, Common, option
from unisono.spec.errors import InputError
from unisono.spec.wording import one_line

if TYPE_CHECKING:
    from unisono.drivers.serving.security.token_file import TokenFile
    from unisono.drivers.serving.security.tokens import Token

HELP = "Who may ask the server, for which models, and how often."

NEW_EXAMPLES = (
    "unisono tokens new shop",
    "unisono tokens new shop-frontend --models lateness --actions predict --rate 100 --expires 90d",
    "unisono tokens new operator --actions read,predict,admin",
)
LIST_EXAMPLES = ("unisono tokens list",)
REVOKE_EXAMPLES = ("unisono tokens revoke shop",)

NEW_FIELDS = {
    "token": "what the header says after `Authorization: Bearer `; it is shown this once",
    "name": "as it was given",
    "id": "the part of the token that is no secret",
    "file": "that the token is kept in, without its secret",
    "expires": "RFC 3339; null: never",
}
LIST_FIELDS = {
    "file": "that the tokens are kept in",
    "tokens": "of each: name, id, actions, models, rate, burst, made, expires, has_expired",
}
REVOKE_FIELDS = {"name": "of the token", "id": "of the token", "file": "that it was kept in"}

_Name = Annotated[str, Parameter(help="Whose token it is: letters, digits and . _ @ -, at most 100.")]


def new(
    name: _Name,
    /,
    *,
    models: Annotated[
        str, option("NAMES", "Names of predictors, parted by commas, or * for every one. Default: *.")
    ] = "*",
    actions: Annotated[
        str,
        option("ACTIONS", "Any of read, predict and admin, parted by commas. Default: read,predict."),
    ] = "read,predict",
    rate: Annotated[float | None, option("NUMBER", "Requests a second. Default: no limit.")] = None,
    burst: Annotated[
        int | None, option("NUMBER", "Requests that may come at once. Default: those of a second at its rate.")
    ] = None,
    expires: Annotated[
        str | None, option("DURATION", "For how long it is good, as 90d or 12h. Default: until it is revoked.")
    ] = None,
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Make a token, and show it once.

    As soon as there is a token, the server answers nobody without one, /health aside: read lets its bearer see
    metadata and metrics, predict ask for predictions and features, admin load, unload and roll back. A server that runs
    takes it in within seconds. What is kept cannot be turned back into the token: whoever loses it needs a new one.
    Send it as the header `Authorization: Bearer TOKEN`, and over TLS wherever others could listen.
    """
    from unisono.drivers.serving.security.tokens import draw

    file = _file(common)
    fresh, now = draw(), datetime.now(UTC)
    rights = {"models": _listed(models), "actions": _listed(actions), "rate": rate, "burst": _burst(rate, burst)}
    made = now.replace(microsecond=0)
    token = _token(id=fresh.id, name=name, sha256=fresh.sha256, made=made, expires=_end(now, expires), **rights)
    file.add(token)
    data = {
        "token": fresh.text,
        "name": name,
        "id": fresh.id,
        "file": str(file.path),
        "expires": _shown(token.expires),
    }
    return Answer(
        data, f"{prose.table(_said(data))}\nThe token is shown this once: keep it where only its user finds it."
    )


def list_(*, common: Common = COMMON_DEFAULTS) -> Answer:
    """List the tokens of the project's server, and what each of them allows.

    No secret is shown, for none is kept. Without a file of tokens the server answers everybody, on this machine only
    unless it is told otherwise; with a file that has no token left, it answers nobody.
    """
    file, now = _file(common), datetime.now(UTC)
    found = file.read()
    data = {"file": str(file.path), "tokens": [_described(token, now) for token in found or ()]}
    return Answer(data, _table(data["tokens"]) if found else _none(file, has_file=found is not None))


def revoke(
    token: Annotated[str, Parameter(help="Name or id of the token.")], /, *, common: Common = COMMON_DEFAULTS
) -> Answer:
    """Revoke a token: the server refuses it from then on.

    A server that runs takes it in within seconds, without a restart; requests under way are answered. A token that
    somebody else may have seen is revoked first, and then replaced by a new one.
    """
    file = _file(common)
    gone = file.revoke(token)
    data = {"name": gone.name, "id": gone.id, "file": str(file.path)}
    return Answer(data, f"revoked {gone.name} ({gone.id})")


_MOST_RATE = 1e6


def _file(common: Common) -> TokenFile:
    from unisono.drivers.config import read_config
    from unisono.drivers.serving.security.token_file import token_file

    config = read_config(common.project)
    return token_file(common.project, common.project / config.store, config.serve.tokens.file)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _burst(rate: float | None, burst: int | None) -> int:
    if burst is not None and rate is None:
        raise InputError(f"token: --burst {burst} without --rate; allowed: both, or neither; say --rate, too")
    if rate is not None and not 0 < rate <= _MOST_RATE:
        raise InputError(f"token: --rate {rate:g}; allowed: above 0, at most {_MOST_RATE:g} a second; correct it")
    return burst if burst is not None else ceil(rate or 1)


def _end(now: datetime, expires: str | None) -> datetime | None:
    """The first whole second at which all of the time asked for has passed."""
    from unisono.spec.durations import DurationProblem, judge_duration

    if expires is None:
        return None
    found = judge_duration(expires)
    if isinstance(found, DurationProblem):
        raise InputError(f"token: --expires: {found.seen}; allowed: {found.allowed}; {found.step}")
    end = now + timedelta(microseconds=found)
    return end.replace(microsecond=0) + timedelta(seconds=end.microsecond > 0)


def _token(**fields: Any) -> Token:
    """A token whose fields were judged; its place is the file's to give."""
    import msgspec

    from unisono.drivers.serving.security.tokens import Token

    try:
        return msgspec.convert({**fields, "place": 0}, Token)
    except msgspec.ValidationError as error:
        raise InputError(
            f"token {one_line(fields['name'], length=100)}: {one_line(error)}; allowed: a name of letters, digits and "
            ". _ @ -, models that are names of predictors or *, actions read, predict and admin, a burst of at least "
            "1; correct it"
        ) from error


def _described(token: Token, now: datetime) -> dict[str, object]:
    return {
        "name": token.name,
        "id": token.id,
        "actions": token.actions,
        "models": token.models,
        "rate": token.rate,
        "burst": token.burst if token.rate else None,
        "made": _shown(token.made),
        "expires": _shown(token.expires),
        "has_expired": token.expires is not None and token.expires <= now,
    }


def _table(tokens: Any) -> str:
    header = ("name", "id", "actions", "models", "requests/s", "expires")
    return prose.table([header, *(_row(token) for token in tokens)])


def _row(token: dict[str, Any]) -> Sequence[object]:
    rate = "any" if token["rate"] is None else f"{token['rate']:g}"
    expires = f"{token['expires'] or 'never'}{' (expired)' if token['has_expired'] else ''}"
    return token["name"], token["id"], ",".join(token["actions"]), ",".join(token["models"]), rate, expires


def _none(file: TokenFile, *, has_file: bool) -> str:
    means = "the server answers nobody" if has_file else "the server answers everybody who reaches it"
    return f"no tokens in {file.path}: {means}"


def _shown(instant: datetime | None) -> str | None:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z") if instant else None


def _said(data: dict[str, Any]) -> Iterable[tuple[str, object]]:
    return ((name, "never" if value is None else value) for name, value in data.items())
