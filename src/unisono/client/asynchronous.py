"""The client for asyncio, which does the work of both."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from time import monotonic
from types import TracebackType
from typing import Self, TypeVar, overload
from urllib.parse import quote

from unisono.client.answers import (
    Answer,
    Features,
    Version,
    answer_of,
    answers_of,
    decoded,
    features_of,
    features_of_rows,
)
from unisono.client.errors import BusyError, CallError, LateError, UnreachableError, error_of
from unisono.client.retrying import Budget, Patience
from unisono.client.rows import Row, Rows, body_of, pieces
from unisono.client.transport import LostError, Reply, Transport
from unisono.spec.errors import InputError

T = TypeVar("T")

TIMEOUT_S = 10.0
PIECE_ROWS = 1000
"""Rows of a frame that are sent at a time."""


class AsyncClient:
    """Asks one server, from one event loop.

    address:   `http://HOST:PORT` or `https://...`, with the path that the server is mounted under, if there is one.
    token:     sent with every request; None: none.
    timeout_s: of calls that do not say how long they wait.
    tls:       what is trusted; None: what this machine trusts.
    budget:    how often calls may be sent again.

    A call is sent again if there is no connection, if the connection is lost before the answer, or at 429 and 503, when
    the server says so; never once its time is over, and never past the budget. The time is for all tries together, and
    the server is told what is left of it. Raises InputError for an address that is none, StoreError without aiohttp.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str | None = None,
        timeout_s: float = TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._transport = Transport(address, token=token, tls=tls)
        self._timeout_s = timeout_s
        self._budget = budget or Budget()
        self._patience = Patience()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    @overload
    async def predict(
        self, name: str, rows: Row, *, version: str | None = ..., timeout_s: float | None = ...
    ) -> Answer: ...

    @overload
    async def predict(
        self, name: str, rows: Rows, *, version: str | None = ..., timeout_s: float | None = ...
    ) -> list[Answer]: ...

    async def predict(
        self, name: str, rows: Row | Rows, *, version: str | None = None, timeout_s: float | None = None
    ) -> Answer | list[Answer]:
        """Ask a predictor.

        name:      of the predictor.
        rows:      one row as a mapping; or several, or a frame, which goes in pieces, one after the other.
        version:   id or alias of the version that is to answer; None: whichever answers.
        timeout_s: for all of it.

        Returns the answer to one row, or a list of them in the order of the rows. Raises CallError, InputError.
        """
        path = f"/predict/{quote(name, safe='')}" + (f"?version={quote(version, safe='')}" if version else "")
        return await self._ask(path, rows, f"predict {name}", timeout_s, answer_of, answers_of)

    @overload
    async def features(self, name: str, rows: Row, *, timeout_s: float | None = ...) -> Features: ...

    @overload
    async def features(self, name: str, rows: Rows, *, timeout_s: float | None = ...) -> list[Features]: ...

    async def features(
        self, name: str, rows: Row | Rows, *, timeout_s: float | None = None
    ) -> Features | list[Features]:
        """What a predictor's model would see; arguments, order and errors are those of `predict`."""
        path = f"/features/{quote(name, safe='')}"
        return await self._ask(path, rows, f"features {name}", timeout_s, features_of, features_of_rows)

    async def models(self, *, timeout_s: float | None = None) -> list[Version]:
        """The versions that the server has. Raises CallError."""
        body = await self._call("POST", "/v2/repository/index", b"{}", "models", self._until(timeout_s))
        return decoded(body, list[Version], "models")

    async def ready(self, *, timeout_s: float | None = None) -> bool:
        """Whether the server is there and can answer. It is asked once. Raises CallError for anything else."""
        what, until_s = "ready", self._until(timeout_s)
        try:
            async with asyncio.timeout(until_s - monotonic()):
                await self._try("GET", "/health/ready", b"", what, until_s)
        except (BusyError, UnreachableError, TimeoutError):
            return False
        return True

    async def _ask(
        self,
        path: str,
        rows: Row | Rows,
        what: str,
        timeout_s: float | None,
        one: Callable[[bytes, str], T],
        some: Callable[[bytes, str], list[T]],
    ) -> T | list[T]:
        """What one row, or each of several, is answered; one, some: read an answer."""
        until_s = self._until(timeout_s)
        if isinstance(rows, Mapping):
            return one(await self._call("POST", path, body_of(rows, what), what, until_s), what)
        answers: list[T] = []
        for piece in pieces(rows, PIECE_ROWS, what):
            answers += some(await self._call("POST", path, body_of(piece, what), what, until_s), what)
        return answers

    def _until(self, timeout_s: float | None) -> float:
        given_s = self._timeout_s if timeout_s is None else timeout_s
        if not given_s > 0:
            raise InputError(f"timeout_s: {given_s}; allowed: seconds above 0; correct it")
        return monotonic() + given_s

    async def _call(self, method: str, path: str, body: bytes, what: str, until_s: float) -> bytes:
        """The body of the answer, after as many tries as it takes. Raises CallError."""
        self._budget.earn()
        last: CallError | None = None
        tries = 0
        try:
            async with asyncio.timeout(until_s - monotonic()):
                while True:
                    try:
                        return (await self._try(method, path, body, what, until_s)).body
                    except CallError as error:
                        last = error
                    tries += 1
                    await asyncio.sleep(self._pause_s(last, tries, until_s))
        except TimeoutError:
            raise _late(what, last) from last

    def _pause_s(self, error: CallError, tries: int, until_s: float) -> float:
        """How long to wait before the next try; raises the error if there is to be none."""
        pause_s = self._patience.pause_s(error, tries)
        if pause_s is None or monotonic() + pause_s >= until_s or not self._budget.spend():
            raise error
        return pause_s

    async def _try(self, method: str, path: str, body: bytes, what: str, until_s: float) -> Reply:
        try:
            reply = await self._transport.send(method, path, body, timeout_s=until_s - monotonic())
        except LostError as lost:
            raise UnreachableError(self._unreachable(what, lost), may_repeat=lost.may_repeat) from lost
        if reply.status != 200:
            raise error_of(reply, what)
        return reply

    def _unreachable(self, what: str, lost: LostError) -> str:
        return (
            f"{what}: no answer from {self._transport.address} ({lost}); allowed: a server that can be reached; check "
            "the address, and that `unisono serve` runs"
        )


def _late(what: str, last: CallError | None) -> LateError:
    seen = f"{what}: no answer in time" + (f", after {last}" if last else "")
    return LateError(f"{seen}; allowed: an answer within timeout_s; allow more time, or ask for fewer rows")
