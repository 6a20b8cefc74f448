"""Answers that are no predictions: one table of codes, which do not change, each with its status.

The body is a problem (RFC 9457) with the code, and with `error`, the member that the Open Inference Protocol has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from unisono.drivers.serving.exchange import Headers, Response
from unisono.spec.errors import InputError, ModelError, UnisonoError

CODES: Mapping[str, tuple[int, str]] = {
    "bad_request": (400, "The request cannot be read"),
    "unauthorized": (401, "The token is missing or unknown"),
    "forbidden": (403, "The token does not allow this"),
    "no_such_path": (404, "There is nothing at this address"),
    "no_such_model": (404, "No such model is served"),
    "no_such_version": (404, "No such version is served"),
    "method_not_allowed": (405, "Another method is allowed here"),
    "request_timeout": (408, "The request did not come whole in time"),
    "not_done": (409, "This cannot be done as things are"),
    "body_too_large": (413, "The body is too large"),
    "address_too_long": (414, "The address is too long"),
    "unsupported_media_type": (415, "The body's form is not supported"),
    "invalid_request": (422, "The request does not fit the predictor"),
    "rate_limited": (429, "Too many requests with this token"),
    "headers_too_large": (431, "The headers are too large"),
    "cancelled": (499, "The caller went away"),
    "internal": (500, "The server failed"),
    "model_failed": (500, "The model failed on this request"),
    "overloaded": (503, "More requests wait than can be answered in time"),
    "not_available": (503, "The model cannot answer now"),
    "stopping": (503, "The server is stopping"),
    "deadline_exceeded": (504, "The deadline has passed"),
}
"""Code -> status, title."""


class RefusalError(Exception):
    """A request that is answered with an error.

    code:          one of CODES.
    message:       what was seen; what is allowed; the next step.
    retry_after_s: when to come again; None: that would not help.
    methods:       that are allowed, if it was another one.
    """

    def __init__(
        self, code: str, message: str, *, retry_after_s: float | None = None, methods: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.code, self.retry_after_s, self.methods = code, retry_after_s, methods

    @property
    def status(self) -> int:
        """Of HTTP."""
        return CODES[self.code][0]


def refusal_of(error: Exception) -> RefusalError:
    """What an error means to the caller. What is not ours says nothing of itself to the outside."""
    if isinstance(error, RefusalError):
        return error
    if isinstance(error, InputError):
        return RefusalError("invalid_request", str(error))
    if isinstance(error, ModelError):
        return RefusalError("model_failed", str(error))
    if isinstance(error, UnisonoError):
        return RefusalError("not_available", str(error), retry_after_s=1.0)
    return RefusalError("internal", "the server failed; its log says why; report it")


def problem(
    refusal: RefusalError, *, content_type: bytes = b"application/problem+json", status: int | None = None
) -> Response:
    """A refusal as a response.

    status: where a protocol has another one for it.
    """
    usual, title = CODES[refusal.code]
    status = status or usual
    message = str(refusal)
    body = {
        "type": f"urn:unisono:problem:{refusal.code}",
        "title": title,
        "status": status,
        "detail": message,
        "code": refusal.code,
        "error": message,
    }
    headers: Headers = ((b"content-type", content_type),)
    if status == 401:
        headers += ((b"www-authenticate", b"Bearer"),)
    if refusal.methods:
        headers += ((b"allow", ", ".join(refusal.methods).encode()),)
    if refusal.retry_after_s is not None:
        headers += ((b"retry-after", str(max(1, round(refusal.retry_after_s))).encode()),)
    return Response(status, msgspec.json.encode(body), headers)
