"""What can come of a call but an answer.

    CallError
      x RefusedError      400 404 405 413 415 422 ...   the request does not fit: it would never be answered
      x DeniedError       401 403                       the token is missing, unknown, or does not allow this
      x BusyError         429 503                       come again later
      x LateError         504, or nothing in time       allow more time, or ask for less
      x FailedError       500, or no answer of ours     the server, or what is between, is at fault
      x UnreachableError  none                          there is no connection

All are UnisonoErrors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from unisono.client.transport import Reply
from unisono.spec.errors import UnisonoError
from unisono.spec.wording import one_line


class CallError(UnisonoError):
    """A call that was not answered.

    code:          the server's code, as `invalid_request`; "" if it said none.
    status:        of HTTP; 0 if there was no response.
    problem:       the server's whole problem (RFC 9457); empty if it said none.
    retry_after_s: when the server says to come again; None: it does not say.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        status: int = 0,
        problem: Mapping[str, Any] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.problem: Mapping[str, Any] = problem or {}
        self.retry_after_s = retry_after_s


class RefusedError(CallError):
    """The request does not fit; the same one would never be answered."""


class DeniedError(CallError):
    """The token is missing, unknown or expired, or does not allow this."""


class BusyError(CallError):
    """The server cannot answer now, or the token asks too often."""


class LateError(CallError):
    """There was no answer in time."""


class FailedError(CallError):
    """The server, or something between, is at fault."""


class UnreachableError(CallError):
    """There is no connection to the server, or it was lost.

    may_repeat: whether nothing of an answer had come, and another try may help.
    """

    def __init__(self, message: str, *, may_repeat: bool) -> None:
        super().__init__(message)
        self.may_repeat = may_repeat


_BY_STATUS: Mapping[int, type[CallError]] = {
    401: DeniedError,
    403: DeniedError,
    429: BusyError,
    503: BusyError,
    504: LateError,
}


def error_of(reply: Reply, what: str) -> CallError:
    """A response that is no answer, as an error.

    what: was asked, as messages say it.
    """
    problem = _problem(reply.body)
    detail = problem.get("detail")
    if not isinstance(detail, str):
        detail = (
            f"status {reply.status} with {one_line(repr(reply.body[:100]))}; allowed: an answer of unisono's server"
        )
        detail += "; check the address, and what is between"
    code = problem.get("code")
    kind = _BY_STATUS.get(reply.status, RefusedError if 400 <= reply.status < 500 else FailedError)
    return kind(
        f"{what}: {detail}",
        code=code if isinstance(code, str) else "",
        status=reply.status,
        problem=problem,
        retry_after_s=_seconds(reply.headers.get("retry-after", "").strip()),
    )


def _problem(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(retry_after: str) -> float | None:
    """Of a Retry-After; a date, which our server does not send, says nothing."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
